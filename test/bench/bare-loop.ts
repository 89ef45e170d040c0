import { createConnectionPool } from '@keyferry/connections';
import { builtInVaults } from '@keyferry/vaults';

/**
 * What a cycle is measured against, in a process of its own: nothing but the vault calls that the work needs, with the same
 * client and the same concurrency, and nothing kept. Answers each request over IPC with its duration in milliseconds.
 */

export interface BareRequest {
  address: string;
  token: string;
  /** Whether revisions are asked for, as for secrets that are known. */
  revisions: boolean;
  /** Which listed secrets are read: all, none, or these. */
  read: 'all' | 'none' | string[];
}

const references = { allowedEnvironment: [], environment: {}, allowedFiles: [], allowedIdentities: [] };
const pool = createConnectionPool({ registry: builtInVaults, ...references });
const never = new AbortController().signal;

async function run({ address, token, revisions, read }: BareRequest): Promise<number> {
  await using connection = await pool.open({
    id: address,
    kind: 'hashicorp',
    fingerprint: address,
    keys: { versions: async () => '', read: () => Promise.reject(new Error('no keys')) },
    settings: () => ({ address, mount: 'secret', auth: { method: 'token', token } }),
  });
  const start = performance.now();
  const listed: string[] = [];
  const scope = { folders: ['bifrost/'], includes: () => true, wantsRevision: () => revisions };
  for await (const page of connection.list(scope, never)) for (const ref of page) listed.push(ref.path);
  const wanted = read === 'all' ? listed : read === 'none' ? [] : read;
  const refs = wanted.map((path) => ({ path, facts: null }));
  for await (const outcome of connection.fetch(refs, never)) if ('error' in outcome) throw outcome.error;
  return performance.now() - start;
}

process.on('message', (request: BareRequest) => {
  run(request).then(
    (milliseconds) => process.send?.({ milliseconds }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
process.send?.({ started: true });
