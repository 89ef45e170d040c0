import type { SecretProperties } from '@azure/keyvault-secrets';
import { classOf, vaultFailure } from '@keyferry/core';
import type { ConnectContext, SecretReading, SecretVersion } from '../contract.ts';
import { malformed } from './errors.ts';
import type { Names } from './names.ts';
import { pagesOf } from './pages.ts';
import type { SecretReader } from './read.ts';
import type { Session } from './session.ts';
import { dateOf } from './state.ts';

/** Versions are listed in the order of their ids, which says nothing of time. */
const byTime = (a: SecretProperties, b: SecretProperties) => createdAt(b) - createdAt(a);

const createdAt = ({ createdOn }: SecretProperties) => dateOf(createdOn)?.getTime() ?? 0;

/** Rejects with `vault_not_found` for a secret that has none. */
export async function listVersions(
  { session, names, reader, context }: HistoryParts,
  path: string,
  signal: AbortSignal,
): Promise<SecretVersion[]> {
  const what = `list the versions of "${path}"`;
  const name = names.nameOf(path, what);
  const found: SecretProperties[] = [];
  const question = { operation: 'history', what, signal } as const;
  for await (const { items } of pagesOf(session, context, question, (sdk) => sdk.listPropertiesOfSecretVersions(name)))
    found.push(...items);
  const sorted = found.sort(byTime);
  const [newest] = sorted;
  // The vault answers a name that it doesn't have with an empty list.
  if (newest === undefined) throw vaultFailure('not_found', `The vault has no "${path}".`);
  const candidates = sorted.filter((version) => createdAt(version) === createdAt(newest));
  const first = (candidates.length > 1 && (await currentOf(candidates))) || newest;
  return [first, ...sorted.filter((version) => version !== first)].map((properties, index) => {
    if (!properties.version) throw malformed(what);
    return {
      version: properties.version,
      createdAt: dateOf(properties.createdOn),
      state: properties.enabled === false ? 'disabled' : 'available',
      current: index === 0,
      labels: [],
    };
  });

  /** Of versions of one second, a reading tells which is the last, or at least that it is disabled. */
  async function currentOf(candidates: readonly SecretProperties[]): Promise<SecretProperties | undefined> {
    try {
      const { reading } = await reader.read('history', path, signal);
      return candidates.find(({ version }) => version === reading.version);
    } catch (error) {
      if (classOf(error) === 'disabled') return candidates.find(({ enabled }) => enabled === false);
      if (classOf(error) === 'forbidden') return undefined;
      throw error;
    }
  }
}

/** One version. An id that no version can have is not asked for: an empty one would be the current version's. */
export async function readVersion(
  reader: SecretReader,
  path: string,
  version: string,
  signal: AbortSignal,
): Promise<SecretReading> {
  const missing = () => vaultFailure('not_found', `The vault has no such version of "${path}".`);
  if (!/^[0-9a-f]{32}$/i.test(version)) throw missing();
  try {
    return (await reader.read('history', path, signal, version)).reading;
  } catch (error) {
    throw classOf(error) === 'not_found' ? missing() : error;
  }
}

interface HistoryParts {
  session: Session;
  names: Names;
  reader: SecretReader;
  context: ConnectContext;
}
