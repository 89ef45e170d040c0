import { clientError, type Failure, KeyferryClientError } from './error.ts';
import { parseReference } from './reference.ts';

/** A reference in a configuration, and how to put its value there. */
interface Slot {
  place: string;
  text: string;
  fill(value: string): void;
}

const deepest = 1_000;

/**
 * A copy of a configuration with every reference in it resolved: in arrays and plain objects; anything else stays what it
 * is. Rejects with `configuration_invalid`, or with one error that names each reference that can't be resolved.
 */
export async function resolveConfiguration<Configuration>(
  configuration: Configuration,
  resolve: (reference: string) => Promise<string>,
): Promise<Configuration> {
  const slots: Slot[] = [];
  const root = { it: copy(configuration, '', slots, (value) => void Object.assign(root, { it: value })) };
  const failures = (await Promise.all(slots.map((slot) => settle(slot, resolve)))).filter(
    (failure) => failure !== null,
  );
  if (failures.length === 0) return root.it as Configuration;
  throw new KeyferryClientError('references_unresolved', sentenceOf(failures), { failures });
}

function sentenceOf(failures: readonly Failure[]): string {
  const named = failures.map(({ place, reference, message, code }) => {
    const where = [place, reference].filter(Boolean).join(', ');
    return `${where ? `${where}: ` : ''}${message} (${code})`;
  });
  const count = failures.length === 1 ? 'A reference' : `${failures.length} references`;
  return `${count} can't be resolved. ${named.join(' ')}`;
}

async function settle(slot: Slot, resolve: (reference: string) => Promise<string>): Promise<Failure | null> {
  try {
    slot.fill(await resolve(slot.text));
    return null;
  } catch (error) {
    if (!(error instanceof KeyferryClientError)) throw error;
    const { reference, code, message } = error;
    return { place: slot.place, reference, code, message };
  }
}

/** Copies what holds references, and notes where they stand. What is held in two places is held in two places again. */
function copy(value: unknown, place: string, slots: Slot[], fill: (value: string) => void): unknown {
  const copies = new Map<object, unknown>();
  const open = new Set<object>();

  function walk(value: unknown, place: string, put: (value: string) => void): unknown {
    if (typeof value === 'string') {
      if (isReference(value)) slots.push({ place, text: value, fill: put });
      return value;
    }
    if (!isPlain(value)) return value;
    if (open.has(value)) throw clientError('configuration_invalid', `The configuration holds itself, at ${place}.`);
    if (copies.has(value)) return copies.get(value);
    if (open.size >= deepest)
      throw clientError('configuration_invalid', `The configuration is nested deeper than ${deepest}.`);
    const target: object = Array.isArray(value) ? new Array(value.length) : Object.create(Object.getPrototypeOf(value));
    copies.set(value, target);
    open.add(value);
    for (const key of Object.keys(value)) {
      // Defined, not assigned: a member named __proto__ is a member like any other.
      const set = (member: unknown) =>
        void Object.defineProperty(target, key, {
          value: member,
          enumerable: true,
          writable: true,
          configurable: true,
        });
      set(walk(Reflect.get(value, key), placeOf(place, key, Array.isArray(value)), set));
    }
    open.delete(value);
    return target;
  }
  return walk(value, place, fill);
}

/** Also what begins as a reference and is none: it is told of rather than passed on. */
function isReference(text: string): boolean {
  try {
    return parseReference(text).kind !== 'plain';
  } catch {
    return true;
  }
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // The prototype of all, also of another realm, such as a test runner's.
  return Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null;
}

function placeOf(parent: string, key: string, inArray: boolean): string {
  if (inArray) return `${parent}[${key}]`;
  return parent === '' ? key : `${parent}.${key}`;
}
