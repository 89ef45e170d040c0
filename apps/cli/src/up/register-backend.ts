import type { BackendAnswer, BackendList, BackendTest } from '@keyferry/contracts';
import { ApiError } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { route } from '../api/route.ts';
import type { WantedBackend } from './wanted-backend.ts';

type Members = Record<string, unknown>;

export interface Registered {
  backend: BackendAnswer;
  /** Makes it as it was before. */
  undo(): Promise<void>;
}

/** Registers a backend, or changes the one of that name where it isn't as wanted. What a person set otherwise stays. */
export async function registerBackend(api: ApiClient, wanted: WantedBackend): Promise<Registered> {
  const known = await findBackend(api, wanted.name);
  if (!known) return await createBackend(api, wanted);
  const config = changesOf(known.config, wanted.config);
  const others = changesOf(
    { ...known },
    { state: 'active', ...(wanted.syncPaths && { sync_paths: wanted.syncPaths }) },
  );
  if (isEmpty(config) && isEmpty(others)) return { backend: known, undo: async () => {} };
  const patch = (members: Members, ownConfig: Members) =>
    api.patch<BackendAnswer>(route`/federation/backends/${known.id}`, {
      ...members,
      // How the vault is reached can be changed only by whoever brings its credentials.
      ...(!isEmpty(ownConfig) && { config: { ...ownConfig, auth: wanted.onCreation.auth } }),
    });
  return {
    backend: await patch(others, config),
    undo: async () => void (await patch(pick({ ...known }, others), pick(known.config, config))),
  };
}

async function createBackend(api: ApiClient, wanted: WantedBackend): Promise<Registered> {
  const { auth, ...settings } = wanted.onCreation;
  const members = Object.entries(wanted.config).filter(([, value]) => value !== null);
  const backend = await api.post<BackendAnswer>('/federation/backends', {
    name: wanted.name,
    kind: wanted.kind,
    config: { ...Object.fromEntries(members), auth },
    ...settings,
    ...(wanted.syncPaths && { sync_paths: wanted.syncPaths }),
  });
  return { backend, undo: async () => void (await api.delete(route`/federation/backends/${backend.id}`)) };
}

const isEmpty = (members: Members) => Object.keys(members).length === 0;

/** The wanted members that aren't there as they are wanted. */
function changesOf(known: Members, wanted: Members): Members {
  const differs = ([name, value]: [string, unknown]) => JSON.stringify(value) !== JSON.stringify(known[name] ?? null);
  return Object.fromEntries(Object.entries(wanted).filter(differs));
}

/** The members of `from` that `names` has too; null for those that it lacks. */
function pick(from: Members, names: Members): Members {
  return Object.fromEntries(Object.keys(names).map((name) => [name, from[name] ?? null]));
}

/** What a person who starts this does about a refusal, beside what the API advises. */
const hints: Record<string, string> = {
  container_missing: 'Another mount is named by --mount, a namespace by VAULT_NAMESPACE.',
  vault_unauthenticated: 'The token is that of VAULT_TOKEN.',
};

/** Asks the vault whether it lets us in. One that doesn't leaves nothing behind, so that a typing error is no trap. */
export async function testBackend(api: ApiClient, { backend, undo }: Registered): Promise<void> {
  try {
    await api.post<BackendTest>(route`/federation/backends/${backend.id}/test`);
  } catch (error) {
    // The refusal is what matters; a change that could not be undone is made good by the next start.
    await undo().catch(() => {});
    const hint = error instanceof ApiError && hints[error.code];
    if (!hint) throw error;
    const { status, code, action, message } = error;
    throw new ApiError(status, { code, action, message: `${message} ${hint}` });
  }
}

/** Pauses the backend whose vault this run doesn't have: each of its cycles would fail. Returns whether there is one. */
export async function pauseBackend(api: ApiClient, name: string): Promise<boolean> {
  const absent = await findBackend(api, name);
  if (absent?.state !== 'active') return false;
  await api.patch(route`/federation/backends/${absent.id}`, { state: 'paused' });
  return true;
}

async function findBackend(api: ApiClient, name: string): Promise<BackendAnswer | undefined> {
  const { items } = await api.get<BackendList>('/federation/backends');
  return items.find((backend) => backend.name === name);
}
