import { expect } from 'vitest';
import { fetchAll, listAll, patient, readOne } from '../../test/support.ts';
import type { Bench, Cases, OpenVault } from '../bench.ts';
import { operationsOf, subjectOf } from '../operations.ts';
import { countRequests } from '../requests.ts';
import type { Settings } from '../target.ts';

/** Nothing is served, told or taken for absent with these settings. */
async function expectUnauthenticated(bench: Bench, vault: OpenVault, settings: Settings): Promise<void> {
  const backend = await vault.connect(settings);
  for (const operation of operationsOf(bench.target)) {
    const failure = vault.failure(operation.run(backend, vault, subjectOf(operation, vault), patient));
    expect(await failure, operation.name).toMatchObject({ failureClass: 'unauthenticated' });
  }
}

export const refusals: Cases = {
  async 'a listing that is forbidden rejects, while secrets are read'(bench) {
    const vault = await bench.open();
    await vault.write(vault.at('a'), 'x');
    const backend = await vault.connect(vault.emulated.forbidding({ list: true }));
    expect(await vault.failure(listAll(backend, vault.scope()))).toMatchObject({ failureClass: 'forbidden' });
    await readOne(backend, vault.at('a'));
    expect(await backend.confirm(vault.at('a'), patient)).toBe('present');
  },

  async 'a secret that is forbidden is its own failure'(bench) {
    const vault = await bench.open();
    for (const name of ['a', 'b', 'c']) await vault.write(vault.at(name), 'x');
    const backend = await vault.connect(vault.emulated.forbidding({ read: vault.at('b') }));
    const found = await fetchAll(backend, ['a', 'b', 'c'].map(vault.at));
    expect(found.get(vault.at('b'))).toBe('vault_forbidden');
    expect(found.get(vault.at('a'))).toBe(vault.value('x').reveal().toString());
    expect(found.get(vault.at('c'))).toBe(vault.value('x').reveal().toString());
  },

  async 'credentials that the vault does not know are refused as such'(bench) {
    const vault = await bench.open();
    await expectUnauthenticated(bench, vault, vault.emulated.rejected.unknown);
  },

  async 'credentials that have expired are refused as such'(bench) {
    const vault = await bench.open();
    const expired = bench.needs(vault.emulated.rejected.expired, 'credentials of this vault do not expire');
    await expectUnauthenticated(bench, vault, expired);
  },

  async 'credentials that were rotated are refused, and those in their place accepted'(bench) {
    const vault = await bench.open();
    const rotate = bench.needs(vault.emulated.rotate, 'nothing can be rotated in this emulator');
    await vault.write(vault.at('a'), 'x');
    const before = await vault.connect();
    await readOne(before, vault.at('a'));
    const settings = rotate.call(vault.emulated);
    // A session that was begun before may go on until it ends.
    vault.emulated.revokeSessions?.();
    expect(await vault.failure(readOne(before, vault.at('a')))).toMatchObject({ failureClass: 'unauthenticated' });
    await expectUnauthenticated(bench, vault, vault.settings);
    await readOne(await vault.connect(settings), vault.at('a'));
  },

  async 'a session that was revoked is begun anew, without a failure'(bench) {
    const vault = await bench.open();
    const revoke = bench.needs(vault.emulated.revokeSessions, 'this vault has no sessions that can be revoked');
    const settings = bench.needs(vault.emulated.loggingIn, 'no login is a request of its own');
    await vault.write(vault.at('a'), 'x');
    const backend = await vault.connect(settings);
    await readOne(backend, vault.at('a'));
    revoke.call(vault.emulated);
    await readOne(backend, vault.at('a'));
    expect(await vault.paths(backend)).toEqual([vault.at('a')]);
  },

  async 'many who ask at once share one login'(bench) {
    const vault = await bench.open();
    const settings = bench.needs(vault.emulated.loggingIn, 'no login is a request of its own');
    const paths = vault.emulated.seed(20);
    const logins = countRequests(vault.emulated, 'login');
    const backend = await vault.connect(settings);
    await Promise.all(paths.map((path) => readOne(backend, path)));
    const once = logins.count;
    expect(once).toBeGreaterThan(0);
    const alone = await vault.connect(settings);
    await readOne(alone, paths[0] ?? '');
    expect(logins.count - once, 'logins of a single read').toBe(once);
  },

  async 'a login that is refused or fails is no absence, and tells no credential'(bench) {
    const vault = await bench.open();
    const settings = bench.needs(vault.emulated.loggingIn, 'no login is a request of its own');
    const { emulated } = vault;
    await vault.write(vault.at('a'), 'x');
    const answers = [
      [emulated.throttled(), /throttled/],
      [{ kind: 'status', status: 503, body: '<html>canary</html>' }, /unavailable/],
      [{ kind: 'status', status: 400, body: { error: 'canary' } }, /unauthenticated|invalid/],
      [{ kind: 'garbage', body: 'canary' }, /invalid|unavailable/],
      [{ kind: 'garbage', body: '{}' }, /invalid|unauthenticated/],
      [{ kind: 'reset' }, /unavailable/],
      [{ kind: 'cut' }, /invalid|unavailable/],
    ] as const;
    for (const [effect, expected] of answers) {
      const fault = emulated.faults.inject({ effect, ...emulated.match('login') });
      const backend = await vault.connect(settings);
      const asked = [backend.confirm(vault.at('a'), patient), readOne(backend, vault.at('a')), backend.probe(patient)];
      for (const { failureClass } of await vault.failures(asked))
        expect(failureClass, JSON.stringify(effect)).toMatch(expected);
      fault.remove();
    }
  },
};
