import fc from 'fast-check';
import { expect, test } from 'vitest';
import { throttled } from '../src/index.ts';

function reports(intervalMs: number) {
  const clock = { ms: 0 };
  const all: [string, number][] = [];
  const call = throttled(
    intervalMs,
    () => clock.ms,
    (key, suppressed) => all.push([key, suppressed]),
  );
  return { clock, all, call };
}

test('the first call is reported at once, further ones within the interval are only counted', () => {
  const { clock, all, call } = reports(10_000);
  for (let count = 0; count < 8_000; count++) call('redis does not answer');
  expect(all).toEqual([['redis does not answer', 0]]);
  clock.ms = 9_999;
  call('redis does not answer');
  clock.ms = 10_000;
  call('redis does not answer');
  expect(all).toEqual([
    ['redis does not answer', 0],
    ['redis does not answer', 8_000],
  ]);
});

test('one kind of report does not hold back another', () => {
  const { all, call } = reports(10_000);
  call('a');
  call('b');
  call('a');
  expect(all).toEqual([
    ['a', 0],
    ['b', 0],
  ]);
});

test('after a quiet interval nothing is said of what was told before', () => {
  const { clock, all, call } = reports(100);
  call('a');
  clock.ms = 1_000;
  call('a');
  expect(all.at(-1)).toEqual(['a', 0]);
});

test('reports come an interval apart, and no call is lost from their numbers', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(150), { minLength: 1 }), (pauses) => {
      const { clock, all, call } = reports(100);
      const times: number[] = [];
      for (const pause of pauses) {
        clock.ms += pause;
        const before = all.length;
        call('a');
        if (all.length > before) times.push(clock.ms);
      }
      clock.ms += 100;
      call('a');
      expect(all.reduce((sum, [, suppressed]) => sum + suppressed + 1, 0)).toBe(pauses.length + 1);
      for (let index = 1; index < times.length; index++)
        expect((times[index] as number) - (times[index - 1] as number)).toBeGreaterThanOrEqual(100);
    }),
  );
});
