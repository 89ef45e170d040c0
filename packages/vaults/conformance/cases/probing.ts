import { expect } from 'vitest';
import { patient } from '../../test/support.ts';
import type { Cases } from '../bench.ts';
import { operationsOf, subjectOf } from '../operations.ts';

export const probing: Cases = {
  async 'an empty container that is there is present, and called the same each time'(bench) {
    const vault = await bench.open();
    const first = await (await vault.connect()).probe(patient);
    expect(first).toMatchObject({ container: 'present', latencyMs: expect.any(Number) });
    expect(first.latencyMs).toBeGreaterThanOrEqual(0);
    const second = await (await vault.connect()).probe(patient);
    expect(second).toMatchObject({ container: 'present', containerId: first.containerId, server: first.server });
  },

  async 'another container is called otherwise, and holds nothing of this one'(bench) {
    const vault = await bench.open();
    const { emulated } = vault;
    await vault.write(vault.at('a'), 'x');
    const here = await (await vault.connect()).probe(patient);
    const other = await vault.connect(emulated.otherContainer());
    const there = await other.probe(patient);
    bench.needs(here.containerId ?? there.containerId, 'this vault does not tell what its container is called');
    expect(there.containerId).not.toBe(here.containerId);
    expect(await vault.paths(other)).toEqual([]);
  },

  async 'a container that is missing is never an empty one, whatever is asked'(bench) {
    const vault = await bench.open();
    const missing = bench.needs(vault.emulated.missingContainer, 'this vault has no containers that can be missing');
    const backend = await vault.connect(missing);
    expect(await vault.failure(backend.probe(patient))).toMatchObject({ code: 'container_missing' });
    for (const operation of operationsOf(bench.target)) {
      const subject = subjectOf(operation, vault);
      const { failureClass } = await vault.failure(operation.run(backend, vault, subject, patient));
      expect(failureClass, operation.name).not.toMatch(/not_found|deleted|disabled/);
    }
  },
};
