import type { VaultBackend } from '../src/index.ts';
import { scope } from '../test/support.ts';
import type { OpenVault } from './bench.ts';
import type { ConformanceTarget } from './target.ts';

/** A secret to ask for, and its version. */
export interface Subject {
  path: string;
  version: string;
}

/** Something a backend is asked for, for cases that are the same whatever is asked. */
export interface Operation {
  name: Exclude<keyof VaultBackend, 'close'>;
  /** Rejects as the backend does; reading with the error of the outcome. */
  run(backend: VaultBackend, vault: OpenVault, subject: Subject, signal: AbortSignal): Promise<unknown>;
}

const reading: Operation[] = [
  { name: 'probe', run: (backend, _vault, _subject, signal) => backend.probe(signal) },
  { name: 'list', run: (backend, vault, _subject, signal) => countListed(backend, vault, signal) },
  { name: 'fetch', run: (backend, _vault, { path }, signal) => fetchOne(backend, path, signal) },
  { name: 'confirm', run: (backend, _vault, { path }, signal) => backend.confirm(path, signal) },
];

const writing: Operation[] = [
  {
    name: 'put',
    run: (backend, vault, { path }, signal) =>
      backend.put(path, vault.value('canary-new'), { idempotencyKey: crypto.randomUUID() }, signal),
  },
  { name: 'remove', run: (backend, _vault, { path }, signal) => backend.remove(path, signal) },
];

const restoring: Operation = {
  name: 'restore',
  run: (backend, _vault, { path }, signal) => backend.restore(path, signal),
};

const history: Operation[] = [
  { name: 'versions', run: (backend, _vault, { path }, signal) => backend.versions(path, signal) },
  {
    name: 'readVersion',
    run: (backend, _vault, { path, version }, signal) => backend.readVersion(path, version, signal),
  },
];

/** What can be asked of this vault. */
export function operationsOf({ capabilities: { write, restore, history: kept } }: ConformanceTarget): Operation[] {
  return [...reading, ...(write ? writing : []), ...(write && restore ? [restoring] : []), ...(kept ? history : [])];
}

/** Writes a secret on which the operation can succeed, behind the backend's back. */
export function subjectOf({ name }: Operation, { emulated, value, unused }: OpenVault): Subject {
  const path = unused();
  const version = emulated.put(path, value('canary-old').reveal());
  if (name === 'restore') emulated.remove(path);
  return { path, version: version ?? '' };
}

async function countListed(backend: VaultBackend, vault: OpenVault, signal: AbortSignal): Promise<number> {
  let refs = 0;
  for await (const page of backend.list(scope(vault.scope()), signal)) refs += page.length;
  return refs;
}

async function fetchOne(backend: VaultBackend, path: string, signal: AbortSignal): Promise<unknown> {
  for await (const outcome of backend.fetch([{ path, facts: null }], signal)) {
    if ('reading' in outcome) return outcome.reading;
    throw outcome.error;
  }
  throw new Error('no outcome');
}
