import { pino } from 'pino';

export type LogFields = Record<string, string | number | boolean | null | undefined | object>;

export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Log;
}

/**
 * JSON lines on standard output. Redaction is by design: an error is logged by its code and message where it has a code,
 * and by its name alone where it doesn't, since a driver's message may quote what it was given.
 */
export function createLog(options: { name: string; level?: string }): Log {
  return pino({
    name: options.name,
    level: options.level ?? 'info',
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: hiddenFields.flatMap((field) => [field, `*.${field}`]), censor: '[redacted]' },
    serializers: { error: describe, err: describe },
  });
}

/** Fields that never hold anything printable, put by mistake into a line or into an object of one. */
const hiddenFields = ['value', 'token', 'auth', 'password', 'secret', 'authorization', 'credentials', 'plaintext'];

function describe(error: unknown): object {
  if (!(error instanceof Error)) return { name: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const safe = error.name === 'KeyferryError';
  return { name: error.name, ...(code && { code }), ...(safe && { message: error.message }), ...place(error) };
}

/** Where it was thrown: the stack without the message that it begins with, a line of which may look like a frame. */
function place(error: Error): { at?: string[] } {
  if (error.name === 'KeyferryError' || !error.stack) return {};
  const [, ...afterMessage] = error.message === '' ? ['', error.stack] : error.stack.split(error.message);
  const frames = afterMessage
    .join('')
    .split('\n')
    .filter((line) => /^ {4}at .*:\d+:\d+\)?$/.test(line));
  return { at: frames.slice(0, 5).map((line) => line.trim()) };
}
