import { expect } from 'vitest';
import { listAll, patient, readOne } from '../../test/support.ts';
import { bytesOf, type Cases } from '../bench.ts';

export const reading: Cases = {
  async 'a secret is read with what belongs to its version'(bench) {
    const vault = await bench.open();
    await vault.write(vault.at('a'), 'canary value');
    const reading = await readOne(await vault.connect(), vault.at('a'));
    expect(reading.value.reveal()).toEqual(vault.value('canary value').reveal());
    expect(reading.contentType).toMatch(/^[\w.+-]+\/[\w.+-]+/);
    if (bench.target.capabilities.history) expect(reading.version).not.toBeNull();
    // By the vault's own clock.
    if (reading.createdAt !== null) expect(Math.abs(reading.createdAt.getTime() - Date.now())).toBeLessThan(600_000);
  },

  async 'every ref has one outcome, also one that is asked for twice or isn’t there'(bench) {
    const vault = await bench.open();
    for (const name of ['a', 'b']) await vault.write(vault.at(name), name);
    const backend = await vault.connect();
    const paths = ['a', 'gone', 'b', 'a'].map((name) => vault.at(name));
    const outcomes: [string, string][] = [];
    for await (const outcome of backend.fetch(
      paths.map((path) => ({ path, facts: null })),
      patient,
    )) {
      const came = 'reading' in outcome ? 'read' : (await vault.failure(Promise.reject(outcome.error))).code;
      outcomes.push([outcome.path, came]);
    }
    expect(outcomes.sort()).toEqual([
      [vault.at('a'), 'read'],
      [vault.at('a'), 'read'],
      [vault.at('b'), 'read'],
      [vault.at('gone'), 'vault_not_found'],
    ]);
  },

  async 'no refs give no outcomes, and cost no call'(bench) {
    const vault = await bench.open();
    const context = vault.context();
    const backend = await vault.connect(vault.settings, context);
    for await (const outcome of backend.fetch([], patient)) expect(outcome).toBeUndefined();
    expect(context.calls.read ?? 0).toBe(0);
  },

  async 'metadata come with a reading, whether a listing came before or not'(bench) {
    const vault = await bench.open();
    const metadata = { owner: 'search', tier: 'gold' };
    await vault.write(vault.at('a'), 'x', { metadata });
    await vault.write(vault.at('b'), 'x');
    const backend = await vault.connect();
    expect(await readOne(backend, vault.at('a'))).toMatchObject({ metadata });
    expect((await readOne(backend, vault.at('b'))).metadata).toEqual({});
    for await (const outcome of backend.fetch(await listAll(backend, vault.scope()), patient)) {
      const expected = outcome.path === vault.at('a') ? metadata : {};
      expect('reading' in outcome && outcome.reading.metadata).toEqual(expected);
    }
  },

  async 'a change of metadata alone changes the revision'(bench) {
    if (bench.target.capabilities.revisions === 'read') bench.skip('revisions are seen by reading alone');
    let hours = -2;
    const vault = await bench.open({ now: () => Date.now() + hours * 3_600_000 });
    const value = vault.value('x').reveal();
    vault.emulated.put(vault.at('a'), value, { metadata: { owner: 'search' } });
    hours = 0;
    const backend = await vault.connect();
    const [first] = await listAll(backend, vault.scope());
    hours = -1;
    vault.emulated.put(vault.at('a'), value, { metadata: { owner: 'billing' } });
    hours = 0;
    const [second] = await listAll(backend, vault.scope());
    expect(second?.revision).not.toBe(first?.revision);
    expect(await readOne(backend, vault.at('a'))).toMatchObject({ metadata: { owner: 'billing' } });
  },

  async 'the end that the vault has set comes with a reading'(bench) {
    const vault = await bench.open();
    const expiresAt = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 3_600_000);
    vault.emulated.put(vault.at('a'), vault.value('x').reveal(), { expiresAt });
    vault.emulated.put(vault.at('b'), vault.value('x').reveal());
    const backend = await vault.connect();
    expect(await readOne(backend, vault.at('a'))).toMatchObject({ expiresAt });
    expect(await readOne(backend, vault.at('b'))).toMatchObject({ expiresAt: null });
    for await (const outcome of backend.fetch(await listAll(backend, vault.scope()), patient))
      expect(outcome).toMatchObject({ reading: { expiresAt: outcome.path === vault.at('a') ? expiresAt : null } });
  },

  async 'the newest version is read'(bench) {
    const vault = await bench.open();
    const backend = await vault.connect();
    const versions: (string | null)[] = [];
    for (const text of ['one', 'two', 'three']) {
      await vault.write(vault.at('a'), text);
      expect(await bytesOf(backend, vault.at('a'))).toEqual(vault.value(text).reveal());
      versions.push((await readOne(backend, vault.at('a'))).version);
    }
    if (bench.target.capabilities.history) expect(new Set(versions).size).toBe(3);
  },
};
