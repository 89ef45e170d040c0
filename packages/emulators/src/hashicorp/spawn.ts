import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Flavour } from './answer.ts';
import type { Control } from './control.ts';

export interface SpawnOptions {
  port?: number;
  flavour?: Flavour;
  latencyMs?: number;
  /** This many secrets in the mount `secret`, KV version 2. */
  seed?: number;
  demo?: boolean;
  rootToken?: string;
  /** Kept over restarts, root token included. A file that exists wins over `seed` and `demo`. */
  stateFile?: string;
}

export interface SpawnedEmulator {
  url: string;
  rootToken: string;
  pid: number;
  control: Control;
  /** Ends the process and waits for it. */
  stop(): Promise<void>;
}

/** Starts an emulator in a process of its own, so that it takes no time from the one that is measured. */
export async function spawnVaultEmulator(options: SpawnOptions = {}): Promise<SpawnedEmulator> {
  const { port, flavour, latencyMs, seed, demo, rootToken, stateFile } = options;
  const settings = {
    port,
    flavour,
    'latency-ms': latencyMs,
    seed,
    demo,
    'root-token': rootToken,
    'state-file': stateFile,
  };
  const args = Object.entries(settings).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  );
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint += chunk;
  });
  // `close` comes after the last words on stderr, `exit` may come before.
  const exited = once(child, 'close');
  const line = await Promise.race([once(createInterface(child.stdout), 'line'), exited.then(() => null)]);
  if (line === null) throw new Error(`the Vault emulator ended before it was ready: ${complaint}`);
  child.stderr.removeAllListeners('data').pipe(process.stderr);
  const ready = JSON.parse(String(line[0])) as { url: string; root_token: string };
  return {
    url: ready.url,
    rootToken: ready.root_token,
    pid: child.pid ?? 0,
    control: controlOver(ready.url, ready.root_token),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Controls an emulator of another process over its control endpoint. */
export function controlOver(url: string, rootToken: string): Control {
  return async (operation, args) => {
    const response = await fetch(`${url}/__control/${operation}`, {
      method: 'POST',
      headers: { 'x-vault-token': rootToken },
      body: JSON.stringify(args),
    });
    const { result, error } = (await response.json()) as { result: never; error?: string };
    if (!response.ok) throw new Error(`emulator control ${operation}: ${error}`);
    return result;
  };
}
