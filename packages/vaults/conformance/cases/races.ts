import { classOf } from '@keyferry/core';
import { expect } from 'vitest';
import { fetchAll, listAll, patient, readOne } from '../../test/support.ts';
import { bytesOf, type Cases } from '../bench.ts';

const hourMs = 3_600_000;

export const races: Cases = {
  async 'a secret that goes between listing and reading is gone, and the others are read'(bench) {
    const vault = await bench.open();
    for (const name of ['a', 'b', 'c']) await vault.write(vault.at(name), name);
    const backend = await vault.connect();
    const refs = await listAll(backend, vault.scope());
    vault.emulated.destroy(vault.at('b'));
    for await (const outcome of backend.fetch(refs, patient)) {
      if (outcome.path !== vault.at('b')) expect(outcome).toHaveProperty('reading');
      else if ('error' in outcome) expect(classOf(outcome.error)).toBe('not_found');
      else expect(outcome).toHaveProperty('error');
    }
    expect(await backend.confirm(vault.at('b'), patient)).toBe('absent');
  },

  async 'a secret that changes between listing and reading is read as it is now'(bench) {
    const vault = await bench.open();
    await vault.write(vault.at('a'), 'before');
    const backend = await vault.connect();
    const [ref] = await listAll(backend, vault.scope());
    await vault.write(vault.at('a'), 'after');
    const reading = await readOne(backend, vault.at('a'));
    expect(reading.value.reveal()).toEqual(vault.value('after').reveal());
    if (ref?.version != null) expect(reading.version).not.toBe(ref.version);
    // Else the next listing would look as if nothing had happened since.
    if (ref?.revision != null) expect(reading.revision).not.toBe(ref.revision);
  },

  async 'a container that goes between listing and reading proves nothing about its secrets'(bench) {
    const vault = await bench.open();
    const removeContainer = bench.needs(vault.emulated.removeContainer, 'this vault has no container that can go');
    await vault.write(vault.at('a'), 'x');
    const backend = await vault.connect();
    const refs = await listAll(backend, vault.scope());
    removeContainer.call(vault.emulated);
    for await (const outcome of backend.fetch(refs, patient))
      expect('error' in outcome && classOf(outcome.error)).not.toMatch(/not_found|deleted|disabled/);
    const asked = [backend.confirm(vault.at('a'), patient), backend.probe(patient), listAll(backend, vault.scope())];
    for (const { failureClass } of await vault.failures(asked))
      expect(failureClass).not.toMatch(/not_found|deleted|disabled/);
  },

  async 'a listing that lags behind makes nothing absent, and nothing older'(bench) {
    const vault = await bench.open();
    const freeze = bench.needs(vault.emulated.freezeListing, 'listings of this vault do not lag');
    for (const name of ['changed', 'gone']) await vault.write(vault.at(name), 'before');
    const backend = await vault.connect();
    const fresh = await listAll(backend, vault.scope());
    freeze.call(vault.emulated);
    await vault.write(vault.at('changed'), 'after');
    await vault.write(vault.at('created'), 'after');
    vault.emulated.destroy(vault.at('gone'));

    const stale = await listAll(backend, vault.scope());
    expect(stale).toEqual(fresh);
    expect(await bytesOf(backend, vault.at('changed'))).toEqual(vault.value('after').reveal());
    expect(await backend.confirm(vault.at('created'), patient)).toBe('present');
    expect(await backend.confirm(vault.at('gone'), patient)).toBe('absent');
    const { revision } = await readOne(backend, vault.at('changed'));
    const listed = stale.find(({ path }) => path === vault.at('changed'));
    if (listed?.revision != null) expect(revision).not.toBe(listed.revision);
    expect((await fetchAll(backend, [vault.at('gone')])).get(vault.at('gone'))).toBe('vault_not_found');
  },

  ...Object.fromEntries(
    [-hourMs, hourMs].map((skew) => [
      `a vault whose clock is an hour ${skew < 0 ? 'behind' : 'ahead'} is served, or refuses the credentials`,
      async (bench) => {
        const vault = await bench.open({ now: () => Date.now() + skew });
        await vault.write(vault.at('a'), 'x');
        const backend = await vault.connect();
        const asked = await Promise.allSettled([
          backend.probe(patient).then(({ container }) => container),
          vault.paths(backend),
          bytesOf(backend, vault.at('a')),
          backend.confirm(vault.at('a'), patient),
          backend.confirm(vault.at('never'), patient),
        ]);
        const expected = ['present', [vault.at('a')], vault.value('x').reveal(), 'present', 'absent'];
        for (const [index, outcome] of asked.entries())
          if (outcome.status === 'fulfilled') expect(outcome.value).toEqual(expected[index]);
          else
            expect(await vault.failure(Promise.reject(outcome.reason))).toMatchObject({
              failureClass: 'unauthenticated',
            });
      },
    ]) satisfies [string, Cases[string]][],
  ),
};
