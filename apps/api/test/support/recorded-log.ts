import type { Log, LogFields } from '@keyferry/telemetry';

/** A log that keeps its lines: what a test looks at for what must not be in them. */
export function recordedLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const write = (fields: LogFields, message: string) => {
    const error = fields.error;
    const words = error instanceof Error ? { error: `${error.name}: ${error.message}` } : {};
    lines.push(JSON.stringify({ message, ...fields, ...words }));
  };
  const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log };
  return { log, lines };
}
