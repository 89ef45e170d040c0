import { expect, test } from 'vitest';
import { readAhead } from '../src/read-ahead.ts';

/** Yields 1 to `count`, and notes what is asked of it. */
function numbers(count: number, failure?: Error) {
  const asked: number[] = [];
  let ended = false;
  async function* source(): AsyncGenerator<number, void, void> {
    try {
      for (let number = 1; number <= count; number++) {
        asked.push(number);
        yield number;
      }
      if (failure) throw failure;
    } finally {
      ended = true;
    }
  }
  return { asked, source: source(), ended: () => ended };
}

test('the next is asked for while one is worked on, and no more than that', async () => {
  const { asked, source } = numbers(4);
  const seen: [number, number][] = [];
  for await (const number of readAhead(source)) {
    await Promise.resolve();
    seen.push([number, asked.length]);
  }
  expect(seen).toEqual([
    [1, 2],
    [2, 3],
    [3, 4],
    [4, 4],
  ]);
});

test('a failure comes after all that came before it', async () => {
  const { source, ended } = numbers(2, new Error('page 3'));
  const seen: number[] = [];
  const reading = (async () => {
    for await (const number of readAhead(source)) seen.push(number);
  })();
  await expect(reading).rejects.toThrow('page 3');
  expect(seen).toEqual([1, 2]);
  expect(ended()).toBe(true);
});

test('a consumer that stops ends the source, and hears of no failure that came too late', async () => {
  const { source, ended } = numbers(1, new Error('page 2'));
  for await (const number of readAhead(source)) if (number === 1) break;
  expect(ended()).toBe(true);
});
