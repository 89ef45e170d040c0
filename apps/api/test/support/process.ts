import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { thisMachineText } from '@keyferry/testing/support/this-machine.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface ApiProcess {
  child: ChildProcess;
  /** The address it listens on; rejects if it ends before. */
  started: Promise<string>;
  ended: Promise<{ code: number | null; output: string }>;
}

/** The API as a process of its own, with this environment and nothing else. */
export function startProcess(environment: Record<string, string>): ApiProcess {
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, KEYFERRY_ALLOWED_VAULTS: thisMachineText, ...environment },
  });
  let output = '';
  const { promise: started, resolve, reject } = Promise.withResolvers<string>();
  started.catch(() => {});
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const line = output.split('\n').find((candidate) => candidate.includes('"api started"'));
      if (line) resolve(JSON.parse(line).address);
    });
  const ended = new Promise<{ code: number | null; output: string }>((done) => {
    child.on('close', (code) => {
      reject(new Error(`It ended with ${code}: ${output}`));
      done({ code, output });
    });
  });
  return { child, started, ended };
}
