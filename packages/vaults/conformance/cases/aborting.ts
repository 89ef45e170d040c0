import { expect, vi } from 'vitest';
import { patient, scope } from '../../test/support.ts';
import type { Bench, Cases, OpenVault } from '../bench.ts';
import { type Operation, operationsOf, subjectOf } from '../operations.ts';
import { hangAfter, hangWithinBody } from '../requests.ts';
import type { Settings } from '../target.ts';

/** An abort has so long to end a call. */
const graceMs = 100;

/** More requests than any operation on one secret needs. */
const mostRequests = 40;

/** Settles as the promise does, or says that it took too long. */
async function withinGrace(promise: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise((resolve) => {
    timer = setTimeout(resolve, graceMs, `still going on ${graceMs} ms after the abort`);
  });
  const outcome = promise.then(
    () => 'ended well',
    (error: unknown) => error,
  );
  return Promise.race([outcome, tooLate]).finally(() => clearTimeout(timer));
}

/** Clients' sockets close as the server's notice of it arrives. */
async function noSocketsLeft({ emulated }: OpenVault, most: number): Promise<void> {
  await vi.waitFor(async () => expect(await emulated.openSockets()).toBeLessThanOrEqual(most), {
    interval: 5,
    timeout: 2_000,
  });
}

/** Aborts an operation at its first request, in a new vault at its second, and so on, until it needs no more. */
async function abortsAnywhere(
  bench: Bench,
  operation: Operation,
  settingsOf = ({ settings }: OpenVault): Settings => settings,
): Promise<void> {
  for (let passing = 0; passing < mostRequests; passing++) {
    const vault = await bench.open();
    const subject = subjectOf(operation, vault);
    const backend = await vault.connect(settingsOf(vault));
    const hanging = hangAfter(vault.emulated, passing);
    const controller = new AbortController();
    const running = operation.run(backend, vault, subject, controller.signal);
    const ended = await Promise.race([hanging.struck.then(() => false), running.then(() => true)]);
    hanging.remove();
    if (ended) return expect(passing, 'requests that the operation makes').toBeGreaterThan(0);
    const reason = new Error(`given up at request ${passing + 1}`);
    controller.abort(reason);
    expect(await withinGrace(running)).toBe(reason);
    await backend.close();
    await noSocketsLeft(vault, 0);
    await vault.close();
  }
  throw new Error(`${operation.name} makes more than ${mostRequests} requests`);
}

const names: Operation['name'][] = [
  'probe',
  'list',
  'fetch',
  'confirm',
  'put',
  'remove',
  'restore',
  'versions',
  'readVersion',
];

export const aborting: Cases = {
  ...Object.fromEntries(
    names.map((name) => [
      `an abort at any request of ${name} ends it at once, with the reason, and leaves no socket`,
      async (bench: Bench) => {
        const operation = operationsOf(bench.target).find((candidate) => candidate.name === name);
        await abortsAnywhere(bench, bench.needs(operation, `this vault has no ${name}`));
      },
    ]),
  ),

  async 'an abort at any request of a login ends what waits for it'(bench) {
    const [probe] = operationsOf(bench.target);
    await abortsAnywhere(bench, bench.needs(probe, 'nothing is asked'), ({ emulated }) =>
      bench.needs(emulated.loggingIn, 'no login is a request of its own'),
    );
  },

  async 'an abort ends only the caller’s own call, not that of another who waits for the same login'(bench) {
    const vault = await bench.open();
    const settings = bench.needs(vault.emulated.loggingIn, 'no login is a request of its own');
    await vault.write(vault.at('a'), 'x');
    const backend = await vault.connect(settings);
    const { promise: struck, resolve } = Promise.withResolvers<void>();
    const { when, ...matched } = vault.emulated.match('login');
    vault.emulated.faults.inject({
      effect: { kind: 'slow', delayMs: 20 },
      ...matched,
      when: (request) => {
        if (when !== undefined && !when(request)) return false;
        resolve();
        return true;
      },
    });
    const controller = new AbortController();
    const impatient = backend.confirm(vault.at('a'), controller.signal);
    const other = backend.confirm(vault.at('a'), patient);
    await struck;
    const reason = new Error('given up');
    controller.abort(reason);
    expect(await withinGrace(impatient)).toBe(reason);
    expect(await other).toBe('present');
  },

  async 'what was aborted before it began makes no request'(bench) {
    const vault = await bench.open();
    const reason = new Error('given up before');
    const operations = operationsOf(bench.target);
    const subjects = operations.map((operation) => subjectOf(operation, vault));
    const backend = await vault.connect();
    for (const [index, operation] of operations.entries()) {
      const subject = subjects[index] ?? { path: '', version: '' };
      const running = operation.run(backend, vault, subject, AbortSignal.abort(reason));
      expect(await withinGrace(running), operation.name).toBe(reason);
    }
    expect(vault.emulated.requests.total).toBe(0);
  },

  async 'an abort within the body of an answer ends the call at once'(bench) {
    const vault = await bench.open();
    const backend = await vault.connect();
    await backend.probe(patient);
    for (const operation of operationsOf(bench.target)) {
      const controller = new AbortController();
      const subject = subjectOf(operation, vault);
      const hanging = hangWithinBody(vault.emulated);
      const running = operation.run(backend, vault, subject, controller.signal);
      await hanging.struck();
      const reason = new Error(`given up within ${operation.name}`);
      controller.abort(reason);
      expect(await withinGrace(running), operation.name).toBe(reason);
      hanging.remove();
    }
    await backend.close();
    await noSocketsLeft(vault, 0);
  },

  async 'calls that are given up one after the other leave no sockets behind them'(bench) {
    const vault = await bench.open();
    await vault.write(vault.at('a'), 'x');
    const backend = await vault.connect();
    await backend.confirm(vault.at('a'), patient);
    for (let round = 0; round < 10; round++) {
      const hanging = hangAfter(vault.emulated, 0);
      const controller = new AbortController();
      const running = backend.confirm(vault.at('a'), controller.signal);
      await hanging.struck;
      controller.abort(new Error('given up'));
      await withinGrace(running);
      hanging.remove();
    }
    await noSocketsLeft(vault, 2);
    expect(await backend.confirm(vault.at('a'), patient)).toBe('present');
  },

  async 'a consumer that stops in the middle ends what was begun for it'(bench) {
    const vault = await bench.open();
    const paths = vault.emulated.seed(60);
    const backend = await vault.connect();
    for await (const page of backend.list(scope(vault.scope()), patient)) {
      expect(page.length).toBeGreaterThan(0);
      break;
    }
    const refs = paths.map((path) => ({ path, facts: null }));
    for await (const outcome of backend.fetch(refs, patient)) {
      expect(outcome).toHaveProperty('reading');
      break;
    }
    await backend.close();
    await noSocketsLeft(vault, 0);
  },

  async 'closing leaves no socket, and ends what is under way'(bench) {
    const vault = await bench.open();
    await vault.write(vault.at('a'), 'x');
    const backend = await vault.connect();
    await backend.confirm(vault.at('a'), patient);
    const hanging = hangAfter(vault.emulated, 0);
    const meanwhile = vault.failure(backend.confirm(vault.at('a'), patient));
    await hanging.struck;
    await backend.close();
    await meanwhile;
    hanging.remove();
    await noSocketsLeft(vault, 0);
  },
};
