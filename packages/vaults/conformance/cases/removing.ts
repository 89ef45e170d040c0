import { expect } from 'vitest';
import { patient } from '../../test/support.ts';
import { bytesOf, type Cases, put } from '../bench.ts';

export const removing: Cases = {
  async 'what is removed is no longer there'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    for (const name of ['a', 'b']) await put(backend, vault.at(name), vault.value('x'));
    await backend.remove(vault.at('a'), patient);
    expect(await backend.confirm(vault.at('a'), patient)).toBe(
      bench.target.capabilities.restore ? 'deleted' : 'absent',
    );
    expect(await backend.confirm(vault.at('b'), patient)).toBe('present');
  },

  async 'removing what is gone already, or never was, is no error'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    await put(backend, vault.at('a'), vault.value('x'));
    for (const name of ['a', 'a', 'never']) await backend.remove(vault.at(name), patient);
    expect(await backend.confirm(vault.at('a'), patient)).not.toBe('present');
    expect(await backend.confirm(vault.at('never'), patient)).toBe('absent');
  },

  async 'what was removed comes back with its value'(bench) {
    if (!bench.target.capabilities.restore) bench.skip('what is removed from this vault cannot be restored');
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    await put(backend, vault.at('a'), vault.value('canary'));
    await backend.remove(vault.at('a'), patient);
    await backend.restore(vault.at('a'), patient);
    expect(await backend.confirm(vault.at('a'), patient)).toBe('present');
    expect(await bytesOf(backend, vault.at('a'))).toEqual(vault.value('canary').reveal());
  },

  async 'where nothing was removed there is nothing to restore'(bench) {
    if (!bench.target.capabilities.restore) bench.skip('what is removed from this vault cannot be restored');
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    const failure = await vault.failure(backend.restore(vault.at('never'), patient));
    expect(failure).toMatchObject({ code: 'vault_not_found', failureClass: 'not_found' });
  },

  async 'a secret that was removed can be written again'(bench) {
    const vault = await bench.openWritable();
    const backend = await vault.connect();
    for (const expectedVersion of [undefined, null]) {
      await put(backend, vault.at('a'), vault.value('before'));
      await backend.remove(vault.at('a'), patient);
      await put(backend, vault.at('a'), vault.value('after'), expectedVersion === null ? { expectedVersion } : {});
      expect(await backend.confirm(vault.at('a'), patient)).toBe('present');
      expect(await bytesOf(backend, vault.at('a'))).toEqual(vault.value('after').reveal());
    }
  },
};
