import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Where the command writes. What was asked for goes to `stdout`, everything else to `stderr`. */
interface OutputStream extends NodeJS.WritableStream {
  isTTY?: boolean;
  columns?: number;
}

export interface Io {
  env: NodeJS.ProcessEnv;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: OutputStream;
  stderr: OutputStream;
}

export interface Output {
  /** Whether a machine reads it: then `stdout` has JSON alone, and `stderr` nothing but an error. */
  readonly json: boolean;
  readonly io: Io;
  /** The answer: a document for machines, text for people. */
  answer(document: unknown, text: () => string): void;
  /** A line for people beside the answer. */
  note(text: string): void;
  /** In colour where a terminal shows it and NO_COLOR doesn't forbid it. */
  style(style: Style, text: string): string;
}

export function createOutput(io: Io, json: boolean): Output {
  return {
    json,
    io,
    answer(document, text) {
      io.stdout.write(`${json ? JSON.stringify(document) : text()}\n`);
    },
    note(text) {
      if (!json) io.stderr.write(`${text}\n`);
    },
    style(style, text) {
      return json || !io.stdout.isTTY || io.env.NO_COLOR ? text : styleText(style, text, { stream: io.stdout });
    },
  };
}
