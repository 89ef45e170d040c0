import { classOf } from '@keyferry/core';
import { expect } from 'vitest';
import { listAll, patient, readOne } from '../../test/support.ts';
import { bytesOf, type Cases, put } from '../bench.ts';

export const writing: Cases = {
  async 'a secret is created, and read as it was written'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    const written = await put(backend, vault.at('folder/a'), vault.value('canary'), { expectedVersion: null });
    const reading = await readOne(backend, vault.at('folder/a'));
    expect(reading.value.reveal()).toEqual(vault.value('canary').reveal());
    expect(written.version).toBe(reading.version);
    if (written.revision !== null) expect(written.revision).toBe(reading.revision);
    expect(await backend.confirm(vault.at('folder/a'), patient)).toBe('present');
    await vault.listsExactly(backend, [vault.at('folder/a')]);
  },

  async 'the revision of what was written is that of the next listing'(bench) {
    if (bench.target.capabilities.revisions === 'read') bench.skip('revisions are seen by reading alone');
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    for (const text of ['one', 'two']) {
      const { version, revision } = await put(backend, vault.at('a'), vault.value(text));
      await vault.listsExactly(backend, [vault.at('a')]);
      const [ref] = await listAll(backend, vault.scope());
      if (ref?.version != null) expect(version).toBe(ref.version);
      if (revision !== null && ref?.revision != null) expect(revision).toBe(ref.revision);
    }
  },

  async 'a secret that is there is replaced, whatever its version'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    const first = await put(backend, vault.at('a'), vault.value('one'));
    const second = await put(backend, vault.at('a'), vault.value('two'));
    expect(await bytesOf(backend, vault.at('a'))).toEqual(vault.value('two').reveal());
    if (first.version !== null) expect(second.version).not.toBe(first.version);
  },

  async 'metadata of a created secret come back, and one that exists keeps its own'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    const metadata = { owner: 'search', tier: 'gold' };
    await put(backend, vault.at('a'), vault.value('one'), { metadata });
    expect(await readOne(backend, vault.at('a'))).toMatchObject({ metadata });
    await put(backend, vault.at('a'), vault.value('two'), { metadata: { owner: 'billing' } });
    await put(backend, vault.at('a'), vault.value('three'));
    expect(await readOne(backend, vault.at('a'))).toMatchObject({ metadata });
    for await (const outcome of backend.fetch(await listAll(backend, vault.scope()), patient))
      expect(outcome).toMatchObject({ reading: { metadata } });
  },

  async 'what must not exist and does is a conflict, and stays as it is'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    await vault.write(vault.at('a'), 'theirs');
    const refused = put(backend, vault.at('a'), vault.value('canary'), { expectedVersion: null });
    expect(await vault.failure(refused)).toMatchObject({ code: 'vault_conflict', failureClass: 'conflict' });
    expect(await bytesOf(backend, vault.at('a'))).toEqual(vault.value('theirs').reveal());
  },

  async 'the version that was expected is replaced, and any other one is a conflict'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    const first = await put(backend, vault.at('a'), vault.value('one'));
    const expectedVersion = bench.needs(first.version, 'this vault has no versions');
    await put(backend, vault.at('a'), vault.value('two'), { expectedVersion });
    const stale = put(backend, vault.at('a'), vault.value('canary'), { expectedVersion });
    expect(await vault.failure(stale)).toMatchObject({ code: 'vault_conflict' });
    expect(await bytesOf(backend, vault.at('a'))).toEqual(vault.value('two').reveal());
  },

  async 'a version of a secret that does not exist is a conflict, and creates nothing'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    const { version } = await put(backend, vault.at('other'), vault.value('x'));
    const expectedVersion = bench.needs(version, 'this vault has no versions');
    const refused = put(backend, vault.at('never'), vault.value('canary'), { expectedVersion });
    expect(await vault.failure(refused)).toMatchObject({ code: 'vault_conflict' });
    expect(await backend.confirm(vault.at('never'), patient)).toBe('absent');
  },

  async 'of many who replace one version at once, exactly one succeeds'(bench) {
    if (bench.target.capabilities.compareAndSet !== 'atomic') bench.skip('this vault does not compare versions itself');
    const vault = await bench.openWritable();
    const { version } = await put(await vault.connect(), vault.at('a'), vault.value('before'));
    const writers = await Promise.all(Array.from({ length: 6 }, () => vault.connect()));
    for (const [path, expectedVersion] of [
      [vault.at('a'), version],
      [vault.at('new'), null],
    ] as const) {
      const outcomes = await Promise.allSettled(
        writers.map((writer, index) => put(writer, path, vault.value(`from ${index}`), { expectedVersion })),
      );
      const winners = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
      expect(winners, path).toHaveLength(1);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(classOf(outcome.reason)).toBe('conflict');
      expect(await bytesOf(writers[0] ?? (await vault.connect()), path)).toEqual(
        vault.value(`from ${winners[0]}`).reveal(),
      );
    }
  },

  async 'many who write at once end with the value of one of them'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, (_, index) => put(backend, vault.at('a'), vault.value(`from ${index}`))),
    );
    const written = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [`from ${index}`] : []));
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(classOf(outcome.reason)).toBe('conflict');
    const values = written.map((text) => vault.value(text).reveal().toString());
    expect(values).toContain((await bytesOf(backend, vault.at('a'))).toString());
  },

  async 'a write that is sent again with its key is made once, or said to be a conflict'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    const before = await put(backend, vault.at('a'), vault.value('before'));
    const once = {
      idempotencyKey: crypto.randomUUID(),
      ...(before.version !== null && { expectedVersion: before.version }),
    };
    const first = await put(backend, vault.at('a'), vault.value('canary'), once);
    const again = await put(backend, vault.at('a'), vault.value('canary'), once).catch((error) => classOf(error));
    if (again !== 'conflict') expect(again).toMatchObject({ version: first.version });
    const reading = await readOne(backend, vault.at('a'));
    expect(reading).toMatchObject({ version: first.version });
    expect(reading.value.reveal()).toEqual(vault.value('canary').reveal());
  },

  async 'a write whose answer was lost is found out by sending it again'(bench) {
    const vault = await bench.openWritable();
    const { emulated } = vault;
    const backend = await vault.connect();
    for (const [name, expectedVersion] of [
      ['new', null],
      ['there', (await put(backend, vault.at('there'), vault.value('before'))).version ?? undefined],
    ] as const) {
      const path = vault.at(name);
      const once = {
        idempotencyKey: crypto.randomUUID(),
        ...(expectedVersion !== undefined && { expectedVersion }),
      };
      const fault = emulated.faults.inject({ effect: { kind: 'reset' }, ...emulated.match('write'), times: 1 });
      const lost = await vault.failure(put(backend, path, vault.value('canary'), once));
      expect(lost).toMatchObject({ failureClass: 'unavailable' });
      expect(fault.hits).toBe(1);
      await put(backend, path, vault.value('canary'), once).catch((error) => expect(classOf(error)).toBe('conflict'));
      expect(await bytesOf(backend, path), name).toEqual(vault.value('canary').reveal());
    }
  },

  async 'a write that is forbidden writes nothing'(bench) {
    const vault = await bench.openWritable();
    const { emulated } = vault;
    await vault.write(vault.at('a'), 'before');
    const backend = await vault.connect();
    const fault = emulated.faults.inject({ effect: emulated.forbidden, ...emulated.match('write') });
    const asked = [put(backend, vault.at('a'), vault.value('canary')), backend.remove(vault.at('a'), patient)];
    for (const failure of await vault.failures(asked)) expect(failure).toMatchObject({ failureClass: 'forbidden' });
    fault.remove();
  },
};
