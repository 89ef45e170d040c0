/** A signal that is aborted by the first SIGINT, SIGTERM or SIGHUP. Until it is disposed, later ones do nothing. */
export interface EndingSignal extends Disposable {
  readonly signal: AbortSignal;
}

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The reason that the signal is aborted with. */
class Interrupted extends Error {
  override name = 'Interrupted';
}

/** `onRepeat` is called for each further signal. */
export function endOnSignals(onRepeat: () => void = () => {}): EndingSignal {
  const controller = new AbortController();
  const end = () => {
    if (controller.signal.aborted) onRepeat();
    else controller.abort(new Interrupted());
  };
  for (const name of names) process.on(name, end);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, end);
    },
  };
}
