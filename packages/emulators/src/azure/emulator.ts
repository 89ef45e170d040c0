import type { Socket } from 'node:net';
import type { Faults } from '../http/faults.ts';
import type { RequestLog } from '../http/request-log.ts';
import { type EmulatorServer, type ListenOptions, serve } from '../http/server.ts';
import { Applications } from './applications.ts';
import { type AuthorityListener, listenForAuthority } from './authority-listener.ts';
import { createTestCertificate, type TestCertificate } from './certificate.ts';
import { type QuotaSettings, VaultQuota } from './quota.ts';
import { SecretsHandle } from './secrets-handle.ts';
import { azureService } from './service.ts';
import { SkipTokens } from './skip-token.ts';
import { AzureState } from './state.ts';

export interface AzureEmulatorOptions extends ListenOptions {
  /** Milliseconds since the epoch; tokens, times of secrets and quotas go by it. */
  now?: () => number;
  /** How long deleting and recovering take, in milliseconds. Done at once by default. */
  settleMs?: number;
  /** Seconds for which a token is good; 3600 by default. */
  tokenSeconds?: number;
  /** What tokens have to be for: by default the vault's own address, `https://vault.azure.net` for the real one's. */
  resource?: string;
  /** Of the directory's listener, where the vault has no TLS of its own. Made anew by default. */
  authorityCertificate?: TestCertificate;
  /** 0, the default, takes a free one. */
  authorityPort?: number;
}

export interface AzureEmulator {
  readonly url: string;
  /** Where to log in, always https: the vault's own address if that has TLS. */
  readonly authorityUrl: string;
  /** PEM to trust for the directory; empty where it is served with the certificate that was given. */
  readonly caCert: string;
  readonly tenantId: string;
  /** Of requests for tokens of an App Service, at `/msi/token`. */
  readonly identityHeader: string;
  readonly faults: Faults;
  readonly requests: RequestLog;
  readonly secrets: SecretsHandle;
  readonly applications: Applications;
  /** Makes every token that was issued so far worthless. */
  revokeTokens(): void;
  setLatency(milliseconds: number): void;
  /** `published`: what the vendor says. Null lifts the limit. */
  setQuota(settings: QuotaSettings | 'published' | null): void;
  /** Sockets of clients that are open and have sent something. */
  openSockets(): number;
  /** Stops answering and drops every connection, hanging ones too. */
  close(): Promise<void>;
}

/** What the process around an emulator needs beyond its tests: the state, to keep it, and a way in, to control it. */
export interface EmulatorInternals {
  state: AzureState;
  server: EmulatorServer;
  /** Null where the vault's own address serves logins. */
  authority: (TestCertificate & { port: number }) | null;
}

const internals = new WeakMap<AzureEmulator, EmulatorInternals>();

/** Starts a stand-in of one Azure Key Vault with its directory. It is empty, and nobody may do anything yet. */
export async function startAzureEmulator(options: AzureEmulatorOptions = {}): Promise<AzureEmulator> {
  const { now = Date.now, settleMs = 0, tokenSeconds = 3600, resource = null, host = '127.0.0.1' } = options;
  const state = new AzureState(now, new VaultQuota(now), { settleMs, tokenSeconds, resource });
  const sockets = new Set<Socket>();
  let authority: AuthorityListener | null = null;
  const vault = { state, tokens: new SkipTokens(), authorityUrl: () => authority?.url ?? server.url };
  const service = azureService(vault, ({ socket }) => {
    if (sockets.has(socket)) return;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const server = await serve(service, options);
  const certificate = options.authorityCertificate ?? createTestCertificate('Azure emulator', hostsOf(host), 'ec');
  try {
    if (options.tls === undefined)
      authority = await listenForAuthority(service, server, certificate, { port: options.authorityPort ?? 0, host });
  } catch (error) {
    await server.close();
    throw error;
  }
  const emulator: AzureEmulator = {
    url: server.url,
    authorityUrl: vault.authorityUrl(),
    caCert: authority === null ? '' : certificate.certificate,
    get tenantId() {
      return state.tenantId;
    },
    get identityHeader() {
      return state.identityHeader;
    },
    faults: server.faults,
    requests: server.requests,
    secrets: new SecretsHandle(state.secrets),
    applications: new Applications(state),
    revokeTokens: () => {
      state.session += 1;
    },
    setLatency: (milliseconds) => {
      server.latency.milliseconds = milliseconds;
    },
    setQuota: (settings) => state.quota.set(settings),
    openSockets: () => sockets.size,
    close: async () => {
      await Promise.all([server.close(), authority?.close()]);
    },
  };
  const place = authority === null ? null : { ...certificate, port: authority.port };
  internals.set(emulator, { state, server: { ...server, close: emulator.close }, authority: place });
  return emulator;
}

function hostsOf(host: string): string[] {
  return [...new Set(['127.0.0.1', 'localhost', host])].filter((name) => !name.includes(':'));
}

export function internalsOf(emulator: AzureEmulator): EmulatorInternals {
  const found = internals.get(emulator);
  if (found === undefined) throw new Error('not an emulator of this process');
  return found;
}
