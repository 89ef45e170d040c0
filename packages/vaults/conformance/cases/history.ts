import { expect } from 'vitest';
import { patient, readOne } from '../../test/support.ts';
import type { Bench, Cases, OpenVault } from '../bench.ts';

async function openKeeping(bench: Bench): Promise<OpenVault> {
  if (!bench.target.capabilities.history) bench.skip('this vault keeps no earlier versions that can be read');
  return bench.open();
}

/** Two versions an hour apart: some vaults tell whole seconds, which can't put in order what can't be read. */
async function openWithTwo(bench: Bench): Promise<OpenVault> {
  if (!bench.target.capabilities.history) bench.skip('this vault keeps no earlier versions that can be read');
  let hours = -2;
  const vault = await bench.open({ now: () => Date.now() + hours * 3_600_000 });
  for (const text of ['one', 'two']) {
    await vault.write(vault.at('a'), text);
    hours += 1;
  }
  return vault;
}

export const history: Cases = {
  async 'versions are told, the newest first, and each is read as it was'(bench) {
    const vault = await openKeeping(bench);
    for (const text of ['one', 'two']) await vault.write(vault.at('a'), text);
    const backend = await vault.connect();
    const versions = await backend.versions(vault.at('a'), patient);
    expect(versions).toMatchObject([
      { state: 'available', current: true },
      { state: 'available', current: false },
    ]);
    for (const [index, text] of ['two', 'one'].entries()) {
      const version = versions[index]?.version ?? '';
      const reading = await backend.readVersion(vault.at('a'), version, patient);
      expect(reading.value.reveal()).toEqual(vault.value(text).reveal());
      expect(reading.version).toBe(version);
    }
    expect((await readOne(backend, vault.at('a'))).version).toBe(versions[0]?.version);
  },

  async 'versions have the labels that the vault gave them'(bench) {
    const labels = bench.needs(bench.target.labels, 'this vault has no labels of its own');
    const vault = await openKeeping(bench);
    for (const text of ['one', 'two']) await vault.write(vault.at('a'), text);
    const versions = await (await vault.connect()).versions(vault.at('a'), patient);
    expect(versions.map((version) => version.labels)).toEqual([labels.current, labels.previous]);
  },

  async 'a secret that never was has no versions, and a version that never was can’t be read'(bench) {
    const vault = await openKeeping(bench);
    await vault.write(vault.at('a'), 'x');
    const backend = await vault.connect();
    const never = backend.versions(vault.at('never'), patient);
    expect(await vault.failure(never)).toMatchObject({ code: 'vault_not_found' });
    for (const version of ['999', 'no such version', '../1', '']) {
      const failure = await vault.failure(backend.readVersion(vault.at('a'), version, patient));
      expect(failure.failureClass, version).toMatch(/^(not_found|invalid)$/);
    }
  },

  async 'the current version may be disabled, and says so'(bench) {
    const vault = await openWithTwo(bench);
    const disable = bench.needs(vault.emulated.disable, 'nothing can be disabled in this vault');
    disable.call(vault.emulated, vault.at('a'));
    const backend = await vault.connect();
    const [newest, older] = await backend.versions(vault.at('a'), patient);
    expect(newest).toMatchObject({ state: 'disabled', current: true });
    const { failureClass } = await vault.failure(backend.readVersion(vault.at('a'), newest?.version ?? '', patient));
    expect(failureClass).toBe('disabled');
    const reading = await backend.readVersion(vault.at('a'), older?.version ?? '', patient);
    expect(reading.value.reveal()).toEqual(vault.value('one').reveal());
  },

  async 'the current version may be destroyed, and says so'(bench) {
    const vault = await openWithTwo(bench);
    const destroy = bench.needs(vault.emulated.destroyVersion, 'no version of this vault goes without its name');
    destroy.call(vault.emulated, vault.at('a'));
    const backend = await vault.connect();
    const [newest] = await backend.versions(vault.at('a'), patient);
    expect(newest).toMatchObject({ state: 'destroyed' });
    const { failureClass } = await vault.failure(backend.readVersion(vault.at('a'), newest?.version ?? '', patient));
    expect(failureClass).toMatch(/^(deleted|not_found)$/);
  },

  async 'the history of a removed secret is not told as that of a living one'(bench) {
    const vault = await openKeeping(bench);
    await vault.write(vault.at('a'), 'x');
    vault.emulated.remove(vault.at('a'));
    const backend = await vault.connect();
    const told = await backend.versions(vault.at('a'), patient).catch((error) => error.failureClass);
    if (typeof told === 'string') expect(told).toMatch(/^(not_found|deleted)$/);
    else for (const { state } of told) expect(state).not.toBe('available');
  },
};
