import { expect, test } from 'vitest';
import { failureClasses, isTransient, maxStageAttempts, stageRetryDelay } from '../src/index.ts';

test.each([
  [1, 1_000],
  [2, 4_000],
  [3, 16_000],
  [4, null],
  [5, null],
])('after attempt %d a stage that may pass by itself waits %s ms', (attempts, delay) => {
  expect(stageRetryDelay('unavailable', attempts)).toBe(delay);
});

test('only what may pass by itself is tried again', () => {
  const repeated = failureClasses.filter((failureClass) => stageRetryDelay(failureClass, 1) !== null);
  expect(repeated).toEqual(['throttled', 'unavailable', 'timeout', 'conflict']);
});

test('a conflict is tried again, but is no trouble with the connection', () => {
  expect(failureClasses.filter(isTransient)).toEqual(['throttled', 'unavailable', 'timeout']);
});

test('a fault without a class is tried again too', () => {
  expect(stageRetryDelay(null, 1)).toBe(1_000);
  expect(stageRetryDelay(null, maxStageAttempts)).toBeNull();
});

test('what the vault asked to wait is waited, up to a minute', () => {
  expect(stageRetryDelay('throttled', 1, { askedMs: 30_000 })).toBe(30_000);
  expect(stageRetryDelay('throttled', 1, { askedMs: 10 })).toBe(1_000);
  expect(stageRetryDelay('throttled', 1, { askedMs: 3_600_000 })).toBe(60_000);
  expect(stageRetryDelay('timeout', 3, { firstMs: 30_000 })).toBe(60_000);
});
