import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { AwsControls } from '../aws/control.ts';
import type { Controls as AzureControls } from '../azure/control.ts';
import type { GcpControls } from '../gcp/control.ts';
import type { Controls as HashicorpControls } from '../hashicorp/control.ts';
import type { Control } from './control.ts';
import type { EmulatorKind } from './program.ts';

export interface SpawnOptions {
  port?: number;
  latencyMs?: number;
  /** This many secrets. */
  seed?: number;
  demo?: boolean;
  /** Kept over restarts, credentials included. A file that exists wins over `seed` and `demo`. */
  stateFile?: string;
  /** Settings that the kind's program names, such as `{ flavour: 'openbao' }`. */
  settings?: Record<string, string>;
}

interface ControlsOf {
  hashicorp: HashicorpControls;
  aws: AwsControls;
  gcp: GcpControls;
  azure: AzureControls;
}

/** Where an emulator of another process is, and how it is spoken to. */
export interface EmulatorAddress {
  url: string;
  /** What a client needs beside the address. */
  credentials: Record<string, string>;
  controlToken: string;
}

export interface SpawnedEmulator<Kind extends EmulatorKind = EmulatorKind> extends EmulatorAddress {
  pid: number;
  control: Control<ControlsOf[Kind]>;
  /** Ends the process and waits for it. */
  stop(): Promise<void>;
}

/** Starts an emulator in a process of its own, so that it takes no time from the one that is measured. */
export async function spawnEmulator<Kind extends EmulatorKind>(
  kind: Kind,
  options: SpawnOptions = {},
): Promise<SpawnedEmulator<Kind>> {
  const { port, latencyMs, seed, demo, stateFile, settings } = options;
  const all = { kind, port, 'latency-ms': latencyMs, seed, demo, 'state-file': stateFile, ...settings };
  const args = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint += chunk;
  });
  // `close` comes after the last words on stderr, `exit` may come before.
  const exited = once(child, 'close');
  const line = await Promise.race([once(createInterface(child.stdout), 'line'), exited.then(() => null)]);
  if (line === null) throw new Error(`the ${kind} emulator ended before it was ready: ${complaint}`);
  child.stderr.removeAllListeners('data').pipe(process.stderr);
  const ready = JSON.parse(String(line[0]));
  const address: EmulatorAddress = {
    url: ready.url,
    controlToken: ready.control_token,
    credentials: ready.credentials,
  };
  return {
    ...address,
    pid: child.pid ?? 0,
    control: controlOver<ControlsOf[Kind]>(address),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Controls an emulator of another process over its control endpoint. */
export function controlOver<Controls extends object>({
  url,
  controlToken,
}: Pick<EmulatorAddress, 'url' | 'controlToken'>): Control<Controls> {
  return async (operation, args) => {
    const response = await fetch(`${url}/__control/${operation}`, {
      method: 'POST',
      headers: { 'x-emulator-control': controlToken },
      body: JSON.stringify(args),
    });
    const { result, error } = (await response.json()) as { result: never; error?: string };
    if (!response.ok) throw new Error(`emulator control ${operation}: ${error}`);
    return result;
  };
}
