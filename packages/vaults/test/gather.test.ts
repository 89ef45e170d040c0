import { expect, test } from 'vitest';
import { gather } from '../src/common/gather.ts';

/** Tasks that end when told to. */
function tasks(count: number) {
  const begun: PromiseWithResolvers<number>[] = [];
  const signals: AbortSignal[] = [];
  const next = () => {
    if (begun.length === count) return undefined;
    const ending = Promise.withResolvers<number>();
    begun.push(ending);
    return (signal: AbortSignal) => {
      signals.push(signal);
      signal.addEventListener('abort', () => ending.reject(signal.reason));
      return ending.promise;
    };
  };
  return { begun, signals, next };
}

const roomFor = (parallelism: number) => ({ parallelism, room: () => parallelism });
const forever = new AbortController().signal;

test('no more tasks run than there may be calls, and results come as they end', async () => {
  const { begun, next } = tasks(5);
  const results = gather(roomFor(2), forever, next);
  const first = results.next();
  expect(begun).toHaveLength(2);
  begun[1]?.resolve(1);
  expect(await first).toMatchObject({ value: 1 });
  const second = results.next();
  expect(begun).toHaveLength(3);
  begun[0]?.resolve(0);
  expect(await second).toMatchObject({ value: 0 });
  await results.return();
});

test('on a connection that others fill, a few tasks are in line, and more once there is room', async () => {
  const { begun, next } = tasks(40);
  let room = 0;
  const results = gather({ parallelism: 20, room: () => room }, forever, next);
  const first = results.next();
  expect(begun).toHaveLength(8);
  begun[0]?.resolve(0);
  expect(await first).toMatchObject({ value: 0 });
  room = 5;
  const second = results.next();
  expect(begun).toHaveLength(14);
  begun[1]?.resolve(1);
  expect(await second).toMatchObject({ value: 1 });
  room = 100;
  const third = results.next();
  expect(begun).toHaveLength(22);
  begun[2]?.resolve(2);
  expect(await third).toMatchObject({ value: 2 });
  await results.return();
});

test('a task may bring more tasks', async () => {
  const left = [3];
  const results: number[] = [];
  const next = () => {
    const depth = left.pop();
    return depth === undefined
      ? undefined
      : async () => {
          if (depth > 0) left.push(depth - 1, depth - 1);
          return depth;
        };
  };
  for await (const result of gather(roomFor(4), forever, next)) results.push(result);
  expect(results.sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3]);
});

test('a failure, an abort and a consumer that stops each abort the other tasks', async () => {
  for (const end of ['failure', 'abort', 'return'] as const) {
    const { begun, signals, next } = tasks(3);
    const controller = new AbortController();
    const results = gather(roomFor(2), controller.signal, next);
    const first = results.next();
    const reason = new Error(end);
    if (end === 'failure') begun[0]?.reject(reason);
    if (end === 'abort') controller.abort(reason);
    if (end === 'return') begun[0]?.resolve(0);
    if (end === 'return') await first.then(() => results.return());
    else await expect(first).rejects.toBe(reason);
    expect(signals.every((signal) => signal.aborted)).toBe(true);
    expect(begun.length).toBeLessThan(4);
  }
});
