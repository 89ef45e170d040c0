import { eventLine } from '../events/event-line.ts';
import { type FederationEvent, followEvents, newestPosition } from '../events/follow-events.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { homeOf } from '../home.ts';
import type { Output } from '../output/output.ts';
import { endOnSignals } from '../signals.ts';
import { runFirstCycles } from './first-cycle.ts';
import { openHouse } from './house.ts';
import { showNextSteps, showReport } from './report.ts';
import { readUpSettings, type UpOptions } from './settings.ts';

/**
 * Runs everything in one place: servers, processes, backends and a cycle of each, whose reports are the answer. With `once`
 * it ends then; else it stays and prints events until it is told to stop. Returns the exit code; rejects if it can't start.
 */
export async function up(options: UpOptions, output: Output, env: NodeJS.ProcessEnv): Promise<ExitCode> {
  const { note } = output;
  const settings = readUpSettings(env, options);
  const home = homeOf(env);
  using stop = endOnSignals(() => note('Still stopping: the databases go last, so that nothing is lost.'));
  const { signal } = stop;
  const stopping = () => note('Stopping: the worker finishes what it is at, the databases go last.');
  signal.addEventListener('abort', stopping);
  await using cleanup = new AsyncDisposableStack();
  try {
    const house = await openHouse({ settings, home, env, note, signal }, cleanup);
    const first = await Promise.race([
      runFirstCycles(house, settings.vault, output, signal),
      house.died,
      aborted(signal),
    ]);
    const position = await newestPosition(house.api);
    for (const one of first) await showReport(house.api, output, one);
    const completed = first.every(({ cycle }) => cycle.state === 'completed');
    if (options.once) return completed ? exitCodes.ok : exitCodes.failed;

    showNextSteps(output, house.api, home, settings.vault === undefined);
    const show = (event: FederationEvent) => output.answer(event, () => eventLine(event));
    const died = new AbortController();
    const following = followEvents(house.api, position, show, AbortSignal.any([signal, died.signal]), note);
    await Promise.race([following, house.died]).finally(() => died.abort());
    return exitCodes.ok;
  } catch (error) {
    if (signal.aborted) return exitCodes.interrupted;
    throw error;
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}
