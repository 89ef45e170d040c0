import { KeyferryError } from '@keyferry/core';
import type { MasterKeyProvider } from './master-key-provider.ts';

/** The master keys that a process holds: what any of them has wrapped is opened, what is new is wrapped by the current one. */
export class MasterKeys {
  readonly current: MasterKeyProvider;
  readonly #byId: Map<string, MasterKeyProvider>;

  constructor(current: MasterKeyProvider, others: readonly MasterKeyProvider[]) {
    this.current = current;
    this.#byId = new Map([...others, current].map((key) => [key.id, key]));
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** Of what kind a held key is; null of one that isn't held. */
  kindOf(id: string): MasterKeyProvider['kind'] | null {
    return this.#byId.get(id)?.kind ?? null;
  }

  /** Rejects with `master_key_missing` where the key that wrapped it isn't held, else as the provider does. */
  async unwrap(masterKeyId: string, wrapped: Buffer, associated: string): Promise<Buffer> {
    const key = this.#byId.get(masterKeyId);
    if (!key)
      throw new KeyferryError(
        'master_key_missing',
        `A data key is wrapped by the master key ${masterKeyId}, which this process was not given.`,
      );
    return await key.unwrap(wrapped, associated);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#byId.values()].map((key) => key.close()));
  }
}
