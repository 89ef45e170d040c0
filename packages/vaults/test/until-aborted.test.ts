import { expect, test } from 'vitest';
import { untilAborted } from '../src/common/until-aborted.ts';

test('nothing is waited for after the abort, also if that came before', async () => {
  const never = new Promise<never>(() => {});
  const reason = new Error('given up');
  await expect(untilAborted(never, AbortSignal.abort(reason))).rejects.toBe(reason);
  const controller = new AbortController();
  const waiting = untilAborted(never, controller.signal);
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});
