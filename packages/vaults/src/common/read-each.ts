import type { ConnectContext, FetchOutcome, FetchRef, SecretReading } from '../contract.ts';
import { gather } from './gather.ts';

/** One outcome for each ref, as they arrive, as many under way as the connection has room for. Rejects only when aborted. */
export function readEach(
  refs: readonly FetchRef[],
  context: Pick<ConnectContext, 'parallelism' | 'room'>,
  signal: AbortSignal,
  read: (ref: FetchRef, signal: AbortSignal) => Promise<SecretReading>,
): AsyncGenerator<FetchOutcome, void, void> {
  const left = refs.values();
  const outcomeOf = async (ref: FetchRef, taskSignal: AbortSignal): Promise<FetchOutcome> => {
    try {
      return { path: ref.path, reading: await read(ref, taskSignal) };
    } catch (error) {
      taskSignal.throwIfAborted();
      return { path: ref.path, error: error instanceof Error ? error : new Error('unknown failure') };
    }
  };
  return gather(context, signal, () => {
    const { done, value: ref } = left.next();
    return done ? undefined : (taskSignal) => outcomeOf(ref, taskSignal);
  });
}
