import { readFileSync } from 'node:fs';
import type { FaultEffect } from '@keyferry/emulators';
import { expect } from 'vitest';
import { listAll, patient, readOne } from '../../test/support.ts';
import type { Bench, Cases, OpenVault } from '../bench.ts';
import { operationsOf, subjectOf } from '../operations.ts';
import { hangAfter, hangWithinBody, lastSaidNothing } from '../requests.ts';

const fixture = (name: string) => readFileSync(new URL(`../../test/fixtures/${name}.pem`, import.meta.url), 'utf8');

const status = (status: number, body: string | object): FaultEffect => ({ kind: 'status', status, body });

const page = '<html><body>canary</body></html>';

/** What may go wrong with an answer, and the classes that say so. None of them is absence. */
const faultyAnswers: Record<string, [FaultEffect, RegExp]> = {
  'a 500': [status(500, { message: 'canary' }), /^unavailable$/],
  'a 502 with a page for people': [status(502, page), /^unavailable$/],
  'a 503': [status(503, ''), /^unavailable$/],
  'a 504 with a page for people': [status(504, page), /^(unavailable|timeout)$/],
  'a connection that is reset': [{ kind: 'reset' }, /^unavailable$/],
  'a connection that is reset within the body': [{ kind: 'reset_in_body' }, /^unavailable$/],
  'a connection that ends within the body': [{ kind: 'truncate' }, /^(unavailable|invalid)$/],
  'a body that is cut off': [{ kind: 'cut' }, /^(unavailable|invalid)$/],
  'a 200 of something else': [{ kind: 'garbage', body: 'canary' }, /^(unavailable|invalid)$/],
  'a 200 with a page for people': [{ kind: 'garbage', body: page }, /^(unavailable|invalid)$/],
  'a 200 with JSON of something else': [{ kind: 'garbage', body: '["canary"]' }, /^(unavailable|invalid)$/],
};

/** Asks everything once: with a session from before, and with a new one that has to log in first. */
async function eachFails(bench: Bench, vault: OpenVault, effect: FaultEffect, expected: RegExp): Promise<void> {
  const { faults } = vault.emulated;
  const warm = await vault.connect();
  await warm.probe(patient);
  for (const operation of operationsOf(bench.target)) {
    const subject = subjectOf(operation, vault);
    for (const backend of [warm, await vault.connect()]) {
      const fault = faults.inject({ effect });
      const outcome = operation.run(backend, vault, subject, patient);
      const whole = await outcome.then(
        () => lastSaidNothing(vault.emulated),
        () => false,
      );
      if (!whole) expect((await vault.failure(outcome)).failureClass, operation.name).toMatch(expected);
      fault.remove();
    }
  }
}

export const outages: Cases = {
  ...Object.fromEntries(
    Object.entries(faultyAnswers).map(([name, [effect, expected]]) => [
      `${name} is that failure, whatever was asked`,
      async (bench: Bench) => eachFails(bench, await bench.open(), effect, expected),
    ]),
  ),

  ...Object.fromEntries(
    Object.entries(faultyAnswers).map(([name, [effect]]) => [
      `${name} in the middle of a listing rejects it`,
      (bench: Bench) => rejectsInTheMiddle(bench, effect, /^(unavailable|invalid|timeout)$/),
    ]),
  ),

  async 'a refusal in the middle of a listing rejects it'(bench) {
    await rejectsInTheMiddle(bench, ({ forbidden }) => forbidden, /^forbidden$/);
  },

  async 'a limit that is met in the middle of a listing rejects it'(bench) {
    await rejectsInTheMiddle(bench, (emulated) => emulated.throttled(), /^throttled$/);
  },

  async 'an empty object in place of a page is no empty page'(bench) {
    await rejectsInTheMiddle(bench, { kind: 'garbage', body: '{}' }, /^invalid$/);
  },

  async 'a limit is that failure, with the wait that the vault asks for'(bench) {
    const vault = await bench.open();
    const backend = await vault.connect();
    await backend.probe(patient);
    for (const operation of operationsOf(bench.target)) {
      const subject = subjectOf(operation, vault);
      const failing = async (retryAfter?: string) => {
        const fault = vault.emulated.faults.inject({ effect: vault.emulated.throttled(retryAfter) });
        const failure = await vault.failure(operation.run(backend, vault, subject, patient));
        fault.remove();
        expect(failure, operation.name).toMatchObject({ failureClass: 'throttled' });
        return failure.retryAfterMs;
      };
      expect(await failing(), operation.name).toBeUndefined();
      expect(await failing('7'), operation.name).toBe(7_000);
      expect(await failing('soon'), operation.name).toBeUndefined();
      const wait = await failing(new Date(Date.now() + 60_000).toUTCString());
      expect(wait, operation.name).toBeGreaterThan(50_000);
      expect(wait, operation.name).toBeLessThanOrEqual(60_000);
    }
  },

  async 'a vault that is not there any more is unavailable'(bench) {
    const vault = await bench.open();
    const backend = await vault.connect();
    await backend.probe(patient);
    const asked = operationsOf(bench.target).map((operation) => [operation, subjectOf(operation, vault)] as const);
    await vault.close();
    for (const [operation, subject] of asked)
      for (const cold of [backend, await vault.connect()]) {
        const failure = await vault.failure(operation.run(cold, vault, subject, patient));
        expect(failure, operation.name).toMatchObject({ failureClass: 'unavailable' });
      }
  },

  async 'a certificate of an unknown authority is refused, with a word on certificates'(bench) {
    const vault = await bench.open({ tls: { cert: fixture('server'), key: fixture('server-key') } });
    const { requests } = vault.emulated;
    const backend = await vault.connect();
    for (const operation of operationsOf(bench.target)) {
      const failure = await vault.failure(operation.run(backend, vault, subjectOf(operation, vault), patient));
      expect(failure, operation.name).toMatchObject({
        failureClass: 'unavailable',
        message: expect.stringMatching(/certificate/i),
      });
    }
    expect(requests.total).toBe(0);
  },

  async 'the vault is asked again after an outage, and serves as before'(bench) {
    const vault = await bench.open();
    await vault.write(vault.at('a'), 'x');
    const backend = await vault.connect();
    const fault = vault.emulated.faults.inject({ effect: { kind: 'reset' } });
    await vault.failure(readOne(backend, vault.at('a')));
    fault.remove();
    await readOne(backend, vault.at('a'));
    expect(await vault.paths(backend)).toEqual([vault.at('a')]);
  },

  async 'silence before an answer ends with the deadline'(bench) {
    const vault = await bench.open();
    const context = vault.context();
    const backend = await vault.connect(vault.settings, context);
    await backend.probe(patient);
    for (const operation of operationsOf(bench.target)) {
      const subject = subjectOf(operation, vault);
      const hanging = hangAfter(vault.emulated, 0);
      const failing = vault.failure(operation.run(backend, vault, subject, patient));
      await Promise.race([hanging.struck, failing]);
      context.endDeadlines();
      expect(await failing, operation.name).toMatchObject({ failureClass: 'timeout' });
      hanging.remove();
    }
  },

  async 'silence within an answer ends with the deadline'(bench) {
    const vault = await bench.open();
    const context = vault.context();
    const backend = await vault.connect(vault.settings, context);
    await backend.probe(patient);
    for (const operation of operationsOf(bench.target)) {
      const subject = subjectOf(operation, vault);
      const hanging = hangWithinBody(vault.emulated);
      const failing = vault.failure(operation.run(backend, vault, subject, patient));
      await Promise.race([hanging.struck(), failing]);
      context.endDeadlines();
      expect(await failing, operation.name).toMatchObject({ failureClass: 'timeout' });
      hanging.remove();
    }
  },
};

/** A listing that needs several requests, and meets this at its second. */
async function rejectsInTheMiddle(
  bench: Bench,
  given: FaultEffect | ((emulated: OpenVault['emulated']) => FaultEffect),
  expected: RegExp,
): Promise<void> {
  const vault = await bench.open();
  const { emulated } = vault;
  const { pageSize } = bench.target;
  if (pageSize !== null && pageSize > 2_000) bench.skip(`a page holds ${pageSize}: no listing of a test has two`);
  emulated.seed(2 * (pageSize ?? 100) + 1);
  const backend = await vault.connect();
  const effect = typeof given === 'function' ? given(emulated) : given;
  const fault = emulated.faults.inject({ effect, ...emulated.match('list'), skip: 1 });
  const failure = await vault.failure(listAll(backend, vault.scope()));
  expect(fault.hits).toBeGreaterThan(0);
  expect(failure.failureClass).toMatch(expected);
}
