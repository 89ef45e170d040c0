import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type ErrorCode, errorCatalogue, KeyferryError } from '@keyferry/core';

interface LogLine {
  level?: string;
  msg?: string;
  error?: { code?: string; message?: string; name?: string };
}

/** Why a process of ours ended, from the last error in its log. */
export function lastError(name: string, logFile: string, child: ChildProcess): KeyferryError {
  const how = child.signalCode ? `was ended by ${child.signalCode}` : `ended with exit code ${child.exitCode}`;
  const line = lastErrorLine(readFileSync(logFile, 'utf8'));
  const { code, message, name: kind } = line?.error ?? {};
  // Only errors with a sentence of ours are logged with it.
  const why = message ?? (kind ? `${kind} ${code ?? ''}`.trim() : line?.msg);
  return new KeyferryError(
    isKnown(code) ? code : 'setup_failed',
    why ? `The ${name} ${how}: ${why}` : `The ${name} ${how}; its log is ${logFile}.`,
  );
}

const isKnown = (code: string | undefined): code is ErrorCode =>
  code !== undefined && Object.hasOwn(errorCatalogue, code);

/** A process that Node could not even run prints plain text: then its last line that speaks of an error. */
function lastErrorLine(log: string): LogLine | undefined {
  const lines = log.trim().split('\n').reverse().map(parse);
  return lines.find((line) => line.level === 'error') ?? lines.find((line) => /Error/.test(line.msg ?? ''));
}

function parse(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { msg: text.trim() };
  }
}
