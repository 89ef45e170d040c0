import type { EmulatorServer, ListenOptions } from '../http/server.ts';

interface ProgramOptions extends ListenOptions {
  /** A setting of the kind's own, or undefined where it isn't given. */
  setting(name: string): string | undefined;
  /** What `snapshot` gave before a restart, or null. It wins over `seed` and `demo`. */
  snapshot: unknown;
  /** This many secrets. */
  seed: number;
  /** Whether the demo's secrets are wanted. */
  demo: boolean;
}

interface RunningProgram {
  server: EmulatorServer;
  /** What a client needs beside the address. */
  credentials: Record<string, string>;
  /** Who knows it may control the emulator. */
  controlToken: string;
  /** Throws on an unknown operation or impossible arguments. Both are JSON. */
  control(operation: string, args: unknown): unknown;
  /** All that has to outlive the process. Maps and Sets may be in it. */
  snapshot(): object;
}

/** One kind of emulator as a process of its own runs it. */
export interface EmulatorProgram {
  /** Names of settings beside port, host, latency-ms, seed, demo and state-file. */
  settings: readonly string[];
  start(options: ProgramOptions): Promise<RunningProgram>;
}

export const emulatorKinds = ['hashicorp', 'aws', 'gcp', 'azure'] as const;
export type EmulatorKind = (typeof emulatorKinds)[number];

/** The program of a kind; each is loaded only where it runs. */
export async function programOf(kind: string): Promise<EmulatorProgram> {
  switch (kind as EmulatorKind) {
    case 'hashicorp':
      return (await import('../hashicorp/program.ts')).hashicorpProgram;
    case 'aws':
      return (await import('../aws/program.ts')).awsProgram;
    case 'gcp':
      return (await import('../gcp/program.ts')).gcpProgram;
    case 'azure':
      return (await import('../azure/program.ts')).azureProgram;
  }
  throw new Error(`--kind must be one of ${emulatorKinds.join(', ')}`);
}
