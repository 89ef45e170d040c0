import { classOf } from '@keyferry/core';
import { expect } from 'vitest';
import type { VaultBackend } from '../../src/index.ts';
import { listAll, patient, readOne } from '../../test/support.ts';
import type { Cases, OpenVault } from '../bench.ts';

/** How a secret looks from every side: in a listing, to a reading, and to a direct read that asks for its presence. */
async function viewOf(vault: OpenVault, backend: VaultBackend, path: string) {
  const refs = await listAll(backend, vault.scope());
  const ref = refs.find((listed) => listed.path === path);
  return {
    listed: ref === undefined ? 'missing' : ref.deleted ? 'deleted' : 'there',
    read: await readOne(backend, path).then(
      () => 'read',
      (error) => classOf(error),
    ),
    confirmed: await backend.confirm(path, patient).catch((error) => classOf(error)),
    // What one secret's state is must not spill over to its neighbour.
    neighbour: await backend.confirm(vault.at('neighbour'), patient),
  };
}

async function withNeighbour(vault: OpenVault): Promise<[string, VaultBackend]> {
  for (const name of ['a', 'neighbour']) await vault.write(vault.at(name), 'x');
  return [vault.at('a'), await vault.connect()];
}

export const absence: Cases = {
  async 'a secret that is there is present'(bench) {
    const vault = await bench.open();
    const [path, backend] = await withNeighbour(vault);
    const view = { listed: 'there', read: 'read', confirmed: 'present', neighbour: 'present' };
    expect(await viewOf(vault, backend, path)).toEqual(view);
  },

  async 'a secret that never was is absent'(bench) {
    const vault = await bench.open();
    const [, backend] = await withNeighbour(vault);
    const view = { listed: 'missing', read: 'not_found', confirmed: 'absent', neighbour: 'present' };
    expect(await viewOf(vault, backend, vault.at('never'))).toEqual(view);
  },

  async 'a folder is no secret'(bench) {
    const vault = await bench.open();
    await vault.write(vault.at('folder/a'), 'x');
    const backend = await vault.connect();
    expect(await backend.confirm(vault.at('folder'), patient)).toBe('absent');
    expect(await vault.failure(readOne(backend, vault.at('folder')))).toMatchObject({ code: 'vault_not_found' });
  },

  async 'a secret that was removed for good is absent'(bench) {
    const vault = await bench.open();
    const [path, backend] = await withNeighbour(vault);
    vault.emulated.destroy(path);
    const view = { listed: 'missing', read: 'not_found', confirmed: 'absent', neighbour: 'present' };
    expect(await viewOf(vault, backend, path)).toEqual(view);
  },

  async 'a secret that can still be restored is deleted, and there again when it is'(bench) {
    if (!bench.target.capabilities.restore) bench.skip('what is removed from this vault cannot be restored');
    const vault = await bench.open();
    const [path, backend] = await withNeighbour(vault);
    vault.emulated.remove(path);
    const { listed, ...view } = await viewOf(vault, backend, path);
    expect(listed).toMatch(/missing|deleted/);
    expect(view).toEqual({ read: 'deleted', confirmed: 'deleted', neighbour: 'present' });
    await backend.restore(path, patient);
    expect((await viewOf(vault, backend, path)).confirmed).toBe('present');
  },

  async 'a secret that is disabled is there, and never absent'(bench) {
    const vault = await bench.open();
    const disable = bench.needs(vault.emulated.disable, 'nothing can be disabled in this vault');
    const [path, backend] = await withNeighbour(vault);
    disable.call(vault.emulated, path);
    const { listed, confirmed, ...view } = await viewOf(vault, backend, path);
    expect(view).toEqual({ read: 'disabled', neighbour: 'present' });
    expect(listed).toBe('there');
    expect(confirmed).toMatch(/present|disabled/);
  },

  async 'a version that was destroyed under a name that stays is deleted'(bench) {
    const vault = await bench.open();
    const destroyVersion = bench.needs(vault.emulated.destroyVersion, 'no version of this vault goes without its name');
    const [path, backend] = await withNeighbour(vault);
    destroyVersion.call(vault.emulated, path);
    const { listed, ...view } = await viewOf(vault, backend, path);
    expect(view).toEqual({ read: 'deleted', confirmed: 'deleted', neighbour: 'present' });
    expect(listed).toMatch(/there|deleted/);
  },

  async 'a secret that is forbidden is never absent, and leaves the others alone'(bench) {
    const vault = await bench.open();
    const [path] = await withNeighbour(vault);
    const backend = await vault.connect(vault.emulated.forbidding({ read: path }));
    const { confirmed, ...view } = await viewOf(vault, backend, path);
    expect(view).toEqual({ listed: 'there', read: 'forbidden', neighbour: 'present' });
    expect(confirmed).toMatch(/present|forbidden/);
  },

  async 'a name that is forbidden and never was is not told to be absent'(bench) {
    const vault = await bench.open();
    await withNeighbour(vault);
    const path = vault.at('never');
    const backend = await vault.connect(vault.emulated.forbidding({ read: path }));
    expect(await vault.failure(readOne(backend, path))).toMatchObject({ failureClass: 'forbidden' });
  },

  async 'an answer of a proxy in between is no proof of absence'(bench) {
    const vault = await bench.open();
    const [path, backend] = await withNeighbour(vault);
    const { faults } = vault.emulated;
    const bodies = ['', 'canary', '<html>canary not found</html>', '{}', '{"message":"no route canary"}'];
    for (const body of bodies) {
      const fault = faults.inject({ effect: { kind: 'status', status: 404, body } });
      const cold = await vault.connect();
      for (const asked of [backend, cold]) {
        const failures = [asked.confirm(path, patient), readOne(asked, path), listAll(asked, vault.scope())];
        for (const { failureClass } of await vault.failures(failures))
          expect(failureClass, body).not.toMatch(/not_found|deleted|disabled/);
      }
      fault.remove();
    }
    expect(await backend.confirm(path, patient)).toBe('present');
  },
};
