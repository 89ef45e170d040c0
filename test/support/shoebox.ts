import { createHash } from 'node:crypto';
import { SecretValue, vaultFailure } from '@keyferry/core';
import {
  type ConnectContext,
  defineVaultBackend,
  type SecretReading,
  type SecretVersion,
  type VaultBackend,
  type VaultDefinition,
} from '@keyferry/vaults';
import { z } from 'zod';

interface Version {
  value: string;
  at: Date;
  /** Listed and counted, but no longer to be read. */
  lost?: boolean;
}

/** A fifth kind of vault: a box with slips of paper, opened by a password. It keeps every version. */
export class Shoebox {
  readonly slips = new Map<string, Version[]>();
  readonly passwords = new Set(['open']);
  /** Written on its lid. */
  label: string | null = 'box-1';
  /** Passwords that were tried. */
  tried: string[] = [];

  put(path: string, value: string, at: Date): void {
    this.slips.set(path, [...(this.slips.get(path) ?? []), { value, at }]);
  }

  take(path: string): void {
    this.slips.delete(path);
  }
}

const configSchema = z.strictObject({
  box: z.string('box is required'),
  auth: z.strictObject({ method: z.literal('password'), password: z.string('password is required') }),
});
type ShoeboxConfig = z.output<typeof configSchema>;

/** The kind, over the boxes that there are. */
export function shoeboxKind(boxes: ReadonlyMap<string, Shoebox>): VaultDefinition {
  const definition = defineVaultBackend<ShoeboxConfig>({
    kind: 'shoebox',
    label: 'Shoebox',
    configSchema,
    secrets: ['password'],
    destination: ['box'],
    capabilities: {
      revisions: 'listed',
      values: 'bytes',
      history: true,
      write: false,
      compareAndSet: 'checked',
      restore: false,
      leadingSlash: false,
    },
    quotas: [{ operations: ['read'], calls: 10_000, seconds: 1 }],
    policies: { read_only: 'Know the password.', read_and_write: 'Have a pen.' },
    credentials: (_method, text) => ({ password: text.trim() }),
    connect: async (config, context) => openBox(config, context, boxes),
  });
  return definition as VaultDefinition;
}

function openBox(
  { box, auth }: ShoeboxConfig,
  context: ConnectContext,
  boxes: ReadonlyMap<string, Shoebox>,
): VaultBackend {
  const opened = () => {
    const found = boxes.get(box);
    if (!found) throw vaultFailure('invalid', `There is no box "${box}".`, { code: 'container_missing' });
    found.tried.push(auth.password);
    if (!found.passwords.has(auth.password)) throw vaultFailure('unauthenticated', 'The password does not fit.');
    return found;
  };
  const versionsOf = (path: string) => {
    const versions = opened().slips.get(path);
    if (!versions) throw vaultFailure('not_found', `There is no slip "${path}".`);
    return versions;
  };
  const readingOf = (path: string, number: number): SecretReading => {
    const version = versionsOf(path)[number - 1];
    if (!version || version.lost) throw vaultFailure('forbidden', `Version ${number} of "${path}" can't be read.`);
    return {
      value: SecretValue.fromText(version.value),
      contentType: 'text/plain',
      version: String(number),
      revision: revisionOf(number, version),
      createdAt: version.at,
      expiresAt: null,
      metadata: {},
    };
  };
  const refuse = (): never => {
    throw vaultFailure('invalid', 'A shoebox is only read.');
  };
  return {
    probe: (signal) =>
      context.call('probe', signal, async () => {
        const { label } = opened();
        return { container: 'present', containerId: label, server: null, latencyMs: 1 };
      }),
    async *list(scope, signal) {
      yield await context.call('list', signal, async () =>
        [...opened().slips]
          .filter(([path]) => scope.includes(path))
          .map(([path, versions]) => ({
            path,
            version: String(versions.length),
            revision: revisionOf(versions.length, versions.at(-1)),
            deleted: false,
            facts: null,
          })),
      );
    },
    async *fetch(refs, signal) {
      for (const { path } of refs) {
        signal.throwIfAborted();
        try {
          const read = async () => readingOf(path, versionsOf(path).length);
          yield { path, reading: await context.call('read', signal, read) };
        } catch (error) {
          yield { path, error: error as Error };
        }
      }
    },
    confirm: (path, signal) =>
      context.call('confirm', signal, async () => (opened().slips.has(path) ? 'present' : 'absent')),
    put: async () => refuse(),
    remove: async () => refuse(),
    restore: async () => refuse(),
    versions: (path, signal) =>
      context.call('history', signal, async () =>
        versionsOf(path)
          .map(
            ({ at }, index): SecretVersion => ({
              version: String(index + 1),
              createdAt: at,
              state: 'available',
              current: index + 1 === versionsOf(path).length,
              labels: [],
            }),
          )
          .reverse(),
      ),
    readVersion: (path, version, signal) =>
      context.call('history', signal, async () => readingOf(path, Number(version))),
    close: async () => {},
  };
}

const revisionOf = (number: number, version: Version | undefined) =>
  `${number}.${createHash('sha256')
    .update(version?.value ?? '')
    .digest('hex')
    .slice(0, 8)}`;
