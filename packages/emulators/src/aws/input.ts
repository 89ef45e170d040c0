import { Refusal } from './refusal.ts';

type Members = Record<string, unknown>;

interface Bounds {
  least?: number;
  most?: number;
  pattern?: RegExp;
}

/**
 * The members of one structure of a request, checked against their constraints as they are taken. Every member has to
 * be taken or named as known: stricter than the real service, which ignores what it doesn't know.
 */
export class Input {
  readonly #members: Members;
  readonly #path: string;
  readonly #taken = new Set<string>();

  constructor(value: unknown, path = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Refusal('SerializationException', 'Start of structure or map found where not expected.');
    this.#members = value as Members;
    this.#path = path;
  }

  text(name: string, bounds: Bounds = {}): string | undefined {
    const value = this.#take(name, 'string');
    if (typeof value !== 'string') return undefined;
    const { least = 0, most = Number.POSITIVE_INFINITY, pattern } = bounds;
    if (value.length < least) throw this.#constraint(name, `Member must have length greater than or equal to ${least}`);
    if (value.length > most) throw this.#constraint(name, `Member must have length less than or equal to ${most}`);
    if (pattern !== undefined && !pattern.test(value))
      throw this.#constraint(name, `Member must satisfy regular expression pattern: ${pattern.source}`);
    return value;
  }

  requiredText(name: string, bounds: Bounds = {}): string {
    return this.text(name, bounds) ?? this.#missing(name);
  }

  integer(name: string, { least = 0, most = Number.MAX_SAFE_INTEGER }: Bounds = {}): number | undefined {
    const value = this.#take(name, 'number');
    if (typeof value !== 'number') return undefined;
    if (value < least) throw this.#constraint(name, `Member must have value greater than or equal to ${least}`);
    if (value > most) throw this.#constraint(name, `Member must have value less than or equal to ${most}`);
    return value;
  }

  flag(name: string): boolean {
    return this.#take(name, 'boolean') === true;
  }

  /** The items of a list, of whatever kind. */
  list(name: string, { least = 0, most = Number.POSITIVE_INFINITY }: Bounds = {}): unknown[] | undefined {
    const value = this.#take(name, 'array');
    if (!Array.isArray(value)) return undefined;
    if (value.length < least) throw this.#constraint(name, `Member must have length greater than or equal to ${least}`);
    if (value.length > most) throw this.#constraint(name, `Member must have length less than or equal to ${most}`);
    return value;
  }

  /** A map of texts. */
  map(name: string): Record<string, string> | undefined {
    const value = this.#take(name, 'object');
    if (value === undefined) return undefined;
    const entries = Object.entries(value as Members).map(([key, text]): [string, string] => {
      if (typeof text !== 'string') throw wrongType();
      return [key, text];
    });
    return Object.fromEntries(entries);
  }

  texts(name: string, bounds: Bounds = {}): string[] | undefined {
    return this.list(name, bounds)?.map((item) => {
      if (typeof item !== 'string') throw wrongType();
      return item;
    });
  }

  structures(name: string, bounds: Bounds = {}): Input[] | undefined {
    return this.list(name, bounds)?.map(
      (item, index) => new Input(item, `${this.#path}${camel(name)}.${index + 1}.member.`),
    );
  }

  /** Refuses what was not taken. */
  end(): void {
    const unknown = Object.keys(this.#members).find((name) => !this.#taken.has(name));
    if (unknown !== undefined) throw new Refusal('SerializationException', `Unknown member ${unknown}.`);
  }

  #take(name: string, type: string): unknown {
    this.#taken.add(name);
    const value = this.#members[name] ?? undefined;
    if (value === undefined) return undefined;
    const actual = Array.isArray(value) ? 'array' : typeof value;
    if (actual !== type || (type === 'number' && !Number.isInteger(value))) throw wrongType();
    return value;
  }

  #missing(name: string): never {
    throw this.#constraint(name, 'Member must not be null', 'null');
  }

  /** A value may be a secret, so that none is repeated. */
  #constraint(name: string, constraint: string, value = 'REDACTED'): Refusal {
    const message = `1 validation error detected: Value ${value} at '${this.#path}${camel(name)}' failed to satisfy constraint: ${constraint}`;
    return new Refusal('ValidationException', message);
  }
}

const wrongType = () => new Refusal('SerializationException', 'A member is of another type than expected.');

const camel = (name: string) => name.charAt(0).toLowerCase() + name.slice(1);
