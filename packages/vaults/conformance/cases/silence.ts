import { inspect } from 'node:util';
import type { FaultEffect } from '@keyferry/emulators';
import { expect, onTestFinished, vi } from 'vitest';
import { listAll, patient, readOne } from '../../test/support.ts';
import { bytesOf, type Cases } from '../bench.ts';
import { operationsOf, subjectOf } from '../operations.ts';
import { canary, credentialsOf, expectSilence } from '../silence.ts';

/** Answers that repeat what was sent, as debugging proxies and careless servers do. */
const echoes: FaultEffect[] = [400, 401, 403, 404, 409, 413, 429, 500].flatMap((status): FaultEffect[] => [
  { kind: 'status', status, body: `<html>${canary}</html>`, headers: { 'x-echo': canary } },
  { kind: 'status', status, body: { message: canary, error: { message: canary }, errors: [canary], __type: canary } },
]);

export const silence: Cases = {
  async 'no failure shows a value, a credential or a part of an answer'(bench) {
    const vault = await bench.open();
    const backend = await vault.connect();
    await backend.probe(patient);
    for (const operation of operationsOf(bench.target)) {
      const subject = subjectOf(operation, vault);
      for (const effect of echoes) {
        const fault = vault.emulated.faults.inject({ effect });
        // What one of these answers means is for other cases to say; a 409 to a removal may be none at all.
        const outcome = operation.run(backend, vault, subject, patient);
        await outcome.then(
          (result) => expectSilence(operation.name === 'fetch' ? null : result, []),
          () => vault.failure(outcome),
        );
        fault.remove();
      }
    }
  },

  async 'a value shows nowhere but in its wrapping'(bench) {
    const vault = await bench.open();
    await vault.write(vault.at('a'), `${canary} value`);
    const backend = await vault.connect();
    const seen = [
      await backend.probe(patient),
      await listAll(backend, vault.scope()),
      await readOne(backend, vault.at('a')),
      await backend.confirm(vault.at('a'), patient),
      bench.target.capabilities.history ? await backend.versions(vault.at('a'), patient) : null,
    ];
    expectSilence(seen, []);
    expect(JSON.stringify(seen)).not.toContain(canary);
  },

  async 'a backend that somebody prints shows no credential'(bench) {
    const vault = await bench.open();
    const backend = await vault.connect();
    await backend.probe(patient);
    const shown = inspect(backend, { depth: 8, showHidden: true }) + (JSON.stringify(backend) ?? '');
    const told = credentialsOf(vault.settings).filter((credential) => shown.includes(credential));
    expect(told.length, 'credentials that can be seen').toBe(0);
  },

  async 'nothing is printed, and no warning given, whatever happens'(bench) {
    const vault = await bench.open();
    const printed: string[] = [];
    const keep = (...parts: unknown[]) => printed.push(parts.map((part) => inspect(part)).join(' ')) > 0;
    const spies = [
      vi.spyOn(process.stdout, 'write').mockImplementation(keep),
      vi.spyOn(process.stderr, 'write').mockImplementation(keep),
      ...(['log', 'info', 'warn', 'error', 'debug', 'trace'] as const).map((level) =>
        vi.spyOn(console, level).mockImplementation(keep),
      ),
      vi.spyOn(process, 'emitWarning').mockImplementation(keep),
    ];
    onTestFinished(() => {
      for (const spy of spies) spy.mockRestore();
    });
    await vault.write(vault.at('a'), 'x');
    const backend = await vault.connect();
    await listAll(backend, vault.scope());
    await bytesOf(backend, vault.at('a'));
    for (const effect of [{ kind: 'reset' }, { kind: 'cut' }, { kind: 'status', status: 500 }] as const) {
      const fault = vault.emulated.faults.inject({ effect });
      await vault.failures([readOne(backend, vault.at('a')), listAll(backend, vault.scope())]);
      fault.remove();
    }
    await backend.close();
    expect(printed).toEqual([]);
  },
};
