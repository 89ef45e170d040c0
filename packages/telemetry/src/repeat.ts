export interface Repeating {
  /** When it last ran without an error, in milliseconds since the epoch. */
  lastSuccessAt(): number;
  stop(): Promise<void>;
}

/** Runs `work` again and again, with a pause between the end of one run and the start of the next. */
export function repeat(work: () => Promise<unknown>, pauseMs: number, onError: (error: unknown) => void): Repeating {
  let lastSuccess = Date.now();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let running: Promise<void> = Promise.resolve();
  const run = async () => {
    try {
      await work();
      lastSuccess = Date.now();
    } catch (error) {
      onError(error);
    }
    if (!stopped) timer = setTimeout(start, pauseMs);
  };
  const start = () => {
    running = run();
  };
  start();
  return {
    lastSuccessAt: () => lastSuccess,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
