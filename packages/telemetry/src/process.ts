import type { Log } from './log.ts';

/** A process that drains longer than this is ended: an orchestrator would kill it soon after. */
const drainDeadlineMs = 25_000;

/**
 * Flags for Node that keep a process small: it lives on short-lived objects, for which V8's defaults let the heap grow to
 * several times of what is in use. They can't be set from within. The Dockerfile has the same in NODE_OPTIONS.
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=16', '--max-old-space-size=1024'];

/**
 * Runs a process: `start` returns how to stop it. On SIGTERM, SIGINT, or when the parent that spawned it over IPC is gone,
 * it is stopped once, within a deadline. A start that fails says why in one line and ends with exit code 1.
 */
export async function runProcess(log: Log, start: () => Promise<() => Promise<void>>): Promise<void> {
  // Node would print such an error whole, whatever its message quotes.
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (error: unknown) => {
      log.error({ error: error as Error }, 'a fault of Keyferry ended the process');
      process.exit(1);
    });
  let stop: () => Promise<void>;
  try {
    stop = await start();
  } catch (error) {
    log.error({ error: error as Error, ...actionOf(error) }, 'could not start');
    process.exit(1);
  }
  let stopping = false;
  const end = (reason: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, 'stopping');
    setTimeout(() => {
      log.error({}, 'did not stop in time');
      process.exit(1);
    }, drainDeadlineMs).unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ error: error as Error }, 'did not stop cleanly');
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end(signal));
  process.on('disconnect', () => end('the parent process is gone'));
  process.send?.({ started: true });
}

function actionOf(error: unknown): { action?: string } {
  return error instanceof Error && 'action' in error && typeof error.action === 'string'
    ? { action: error.action }
    : {};
}
