import type { House } from '@keyferry/testing/support/house.ts';
import {
  createSecretReader,
  type ReaderOptions,
  type SecretRead,
  type SecretReader,
  secretText,
} from '../src/index.ts';

export interface TestReader extends SecretReader {
  /** The text of a secret, with a mark where it is stale. */
  text(path: string): Promise<string>;
  /** The code of the refusal. */
  refusal(path: string, version?: number): Promise<string>;
}

/** A reader that looks for changes only where it has to, or is told. */
export function testReader(house: House, options: ReaderOptions = {}): TestReader {
  const reader = createSecretReader(house.services, { pollMs: null, checkIntervalMs: null, ...options });
  const shown = ({ secret, stale }: SecretRead) => secretText(secret, null).value + (stale ? ' (stale)' : '');
  return {
    ...reader,
    text: async (path) => shown(await reader.read(house.tenantId, path)),
    refusal: async (path, version) =>
      await reader.read(house.tenantId, path, { version }).then(
        () => 'none',
        (error) => error.code,
      ),
  };
}

/** Reads of values that the vault was asked for. */
export const readsOf = (house: House): string[] =>
  house.vault.requests.all
    .filter(({ method, path }) => method === 'GET' && path.includes('/data/'))
    .map(({ path }) => path);

/** A fault that ends with its block. */
export const disposable = <Handle extends { remove(): void }>(handle: Handle) =>
  Object.assign(Object.create(handle) as Handle, { [Symbol.dispose]: () => handle.remove() });
