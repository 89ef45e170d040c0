import type { Socket } from 'node:net';
import type { Faults } from '../http/faults.ts';
import type { RequestLog } from '../http/request-log.ts';
import { type EmulatorServer, type ListenOptions, serve } from '../http/server.ts';
import { Clock } from './clock.ts';
import { Identities } from './identities.ts';
import { type GcpQuotas, Quotas } from './quotas.ts';
import { SecretsHandle } from './secrets-handle.ts';
import { gcpService } from './service.ts';
import { GcpState } from './state.ts';

export interface GcpEmulatorOptions extends ListenOptions {
  /** Milliseconds since the epoch; tokens, assertions, expiry and quotas go by it. */
  now?: () => number;
  /** The project that is there from the start. */
  projectId?: string;
  /** How long access tokens live; an hour by default. */
  tokenSeconds?: number;
  /** Most entries of a page, 25,000 by default: the real service may give less than it is asked for. */
  largestPage?: number;
}

export interface GcpEmulator {
  readonly url: string;
  readonly projectId: string;
  /** The account that may do everything in that project. */
  readonly owner: string;
  readonly faults: Faults;
  readonly requests: RequestLog;
  readonly identities: Identities;
  /** A project without secrets; gives its number. */
  createProject(id: string): string;
  /** Shuts it down, with all it holds. */
  deleteProject(id: string): void;
  /** The number that resource names have in place of the id. */
  projectNumber(id?: string): string;
  /** The secrets of a project, by default the first one's, or of one location of it. */
  secrets(place?: { projectId?: string; location?: string }): SecretsHandle;
  /** Makes every token that was given out so far invalid. */
  revokeTokens(): void;
  setTokenSeconds(seconds: number): void;
  setLatency(milliseconds: number): void;
  /** Limits a minute; null lifts them. */
  setQuota(quota: 'published' | Partial<GcpQuotas> | null): void;
  /** How many sockets clients that have asked something hold open. */
  openSockets(): number;
  /** Stops answering and drops every connection, hanging ones too. */
  close(): Promise<void>;
}

/** What the process around an emulator needs beyond its tests: the state, to keep it, and a way in, to control it. */
export interface GcpInternals {
  state: GcpState;
  server: EmulatorServer;
}

const internals = new WeakMap<GcpEmulator, GcpInternals>();

/** Starts a stand-in of Google Secret Manager and of what logs in to it, with one project and one service account. */
export async function startGcpEmulator(options: GcpEmulatorOptions = {}): Promise<GcpEmulator> {
  const { projectId = 'keyferry-emulated', tokenSeconds = 3_600, largestPage } = options;
  const clock = new Clock(options.now ?? Date.now);
  const state = new GcpState(clock, tokenSeconds);
  if (largestPage !== undefined) state.largestPage = largestPage;
  const quotas = new Quotas(clock.now);
  const address = { url: '' };
  const sockets = new Set<Socket>();
  const heard = (socket: Socket) => {
    if (sockets.has(socket)) return;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  const server = await serve(gcpService(state, quotas, address, heard), options);
  address.url = server.url;
  const identities = new Identities(state, address);
  state.createProject(projectId);
  const owner = identities.serviceAccount('keyferry', projectId);
  const project = (id = projectId) => {
    const found = state.project(id);
    if (found === undefined) throw new Error(`no project ${id}`);
    return found;
  };
  const emulator: GcpEmulator = {
    url: server.url,
    projectId,
    owner,
    faults: server.faults,
    requests: server.requests,
    identities,
    createProject: (id) => state.createProject(id).number,
    deleteProject: (id) => void state.projects.delete(id),
    projectNumber: (id) => project(id).number,
    secrets: ({ projectId: id, location = '' } = {}) => new SecretsHandle(state.store(project(id), location)),
    revokeTokens: () => state.tokens.revokeAll(),
    setTokenSeconds: (seconds) => {
      state.tokens.seconds = seconds;
    },
    setLatency: (milliseconds) => {
      server.latency.milliseconds = milliseconds;
    },
    setQuota: (quota) => quotas.set(quota),
    openSockets: () => sockets.size,
    close: () => server.close(),
  };
  internals.set(emulator, { state, server });
  return emulator;
}

export function internalsOf(emulator: GcpEmulator): GcpInternals {
  const found = internals.get(emulator);
  if (found === undefined) throw new Error('not an emulator of this process');
  return found;
}
