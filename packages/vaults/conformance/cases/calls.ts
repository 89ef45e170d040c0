import { expect } from 'vitest';
import { fetchAll, listAll, patient } from '../../test/support.ts';
import { type Cases, put } from '../bench.ts';

export const calls: Cases = {
  async 'each request is a call, and each call one request'(bench) {
    const vault = await bench.open();
    const paths = vault.emulated.seed(45);
    const context = vault.context();
    const backend = await vault.connect(vault.settings, context);
    // The first requests of a session may be the SDK's own, such as a challenge that it answers.
    await backend.probe(patient);
    const { requests } = vault.emulated;
    const before = { requests: requests.total, calls: context.total };
    await listAll(backend, vault.scope());
    await fetchAll(backend, paths);
    for (const path of [paths[0] ?? '', vault.at('never')]) await backend.confirm(path, patient);
    if (bench.target.capabilities.history) await backend.versions(paths[0] ?? '', patient);
    if (bench.target.capabilities.write) await put(backend, vault.at('a'), vault.value('x'));
    expect(requests.total - before.requests).toBe(context.total - before.calls);
  },

  async 'a request that fails is not sent again'(bench) {
    const vault = await bench.open();
    await vault.write(vault.at('a'), 'x');
    const context = vault.context();
    const backend = await vault.connect(vault.settings, context);
    await backend.probe(patient);
    for (const effect of [{ kind: 'reset' }, { kind: 'status', status: 503 }, vault.emulated.throttled('0')] as const) {
      const calls = context.total;
      const fault = vault.emulated.faults.inject({ effect });
      await vault.failure(backend.confirm(vault.at('a'), patient));
      expect(fault.hits, effect.kind).toBe(1);
      await vault.failure(listAll(backend, vault.scope()));
      expect(fault.hits, effect.kind).toBe(context.total - calls);
      fault.remove();
    }
  },

  async 'no call is made within another one'(bench) {
    const vault = await bench.open();
    const paths = vault.emulated.seed(5);
    for (const settings of [vault.settings, vault.emulated.loggingIn ?? vault.settings]) {
      const context = vault.context();
      const backend = await vault.connect(settings, context);
      await backend.probe(patient);
      await listAll(backend, vault.scope());
      await fetchAll(backend, [...paths, vault.at('never')]);
      await backend.confirm(vault.at('never'), patient);
      vault.emulated.revokeSessions?.();
      await fetchAll(backend, paths);
      if (bench.target.capabilities.write) await put(backend, vault.at('a'), vault.value('x'));
      expect(context.nested).toEqual([]);
    }
  },

  async 'with a single slot nothing waits for itself'(bench) {
    const vault = await bench.open();
    const paths = vault.emulated.seed(30);
    const settings = vault.emulated.loggingIn ?? vault.settings;
    const backend = await vault.connect(settings, vault.context(1));
    const [refs, found, presences] = await Promise.all([
      listAll(backend, vault.scope()),
      fetchAll(backend, paths),
      Promise.all(paths.map((path) => backend.confirm(path, patient))),
    ]);
    expect(refs).toHaveLength(30);
    expect(found.size).toBe(30);
    expect(new Set(presences)).toEqual(new Set(['present']));
  },
};
