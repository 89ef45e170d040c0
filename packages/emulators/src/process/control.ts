import type { Fault, FaultHandle } from '../http/faults.ts';
import type { LoggedRequest } from '../http/request-log.ts';
import type { EmulatorServer } from '../http/server.ts';

/** What every emulator can be asked by another process: arguments and result of each operation, all of them JSON. */
export interface ServerControls {
  latency: { args: { milliseconds: number }; result: null };
  fault: { args: Omit<Fault, 'when'>; result: { id: number } };
  faultHits: { args: { id: number }; result: { hits: number } };
  removeFault: { args: { id: number }; result: null };
  clearFaults: { args: object; result: null };
  /** The counters, and the newest requests, as many as wanted. */
  requests: {
    args: { newest?: number };
    result: { total: number; counts: Record<string, number>; newest: LoggedRequest[] };
  };
  resetRequests: { args: object; result: null };
}

/** What an emulator that holds secrets can be asked beside that. */
export interface SeedControls {
  /** Writes `count` secrets, named alike in every kind of vault, `groups` groups in all. */
  seed: { args: { count: number; prefix?: string; groups?: number }; result: null };
  /** Writes a new version of this share of all secrets, spread evenly: 0.01 is every hundredth. */
  change: { args: { share: number }; result: { changed: string[] } };
}

type ControlMap = Record<string, { args: unknown; result: unknown }>;
export type Handlers<Controls> = {
  [Op in keyof Controls]: Controls[Op] extends { args: infer Args; result: infer Result }
    ? (args: Args) => Result
    : never;
};

/** Asks an emulator of another process. */
export type Control<Controls extends object = ServerControls & SeedControls> = <Op extends keyof Controls & string>(
  operation: Op,
  args: (Controls[Op] & ControlMap[string])['args'],
) => Promise<(Controls[Op] & ControlMap[string])['result']>;

/** A handler that has nothing to tell. */
export const done = (_nothing: unknown): null => null;

export function serverHandlers(server: EmulatorServer): Handlers<ServerControls> {
  const faults = new Map<number, FaultHandle>();
  return {
    latency: ({ milliseconds }) => {
      server.latency.milliseconds = milliseconds;
      return null;
    },
    fault: (fault) => {
      const id = faults.size + 1;
      faults.set(id, server.faults.inject(fault));
      return { id };
    },
    faultHits: ({ id }) => ({ hits: faults.get(id)?.hits ?? 0 }),
    removeFault: ({ id }) => done(faults.get(id)?.remove()),
    clearFaults: () => done(server.faults.clear()),
    requests: ({ newest = 0 }) => ({
      total: server.requests.total,
      counts: server.requests.counts,
      newest: newest === 0 ? [] : server.requests.all.slice(-newest),
    }),
    resetRequests: () => done(server.requests.reset()),
  };
}

/** The operations by name. The returned function throws on an unknown one or on impossible arguments. */
export function controlOf(handlers: object): (operation: string, args: unknown) => unknown {
  return (operation, args) => {
    if (!Object.hasOwn(handlers, operation)) throw new Error(`unknown operation ${operation}`);
    // Another process's JSON: it is trusted to be of the shape that the controls give it.
    return (handlers as Record<string, (args: unknown) => unknown>)[operation]?.(args ?? {});
  };
}
