import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:https';
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls';
import { KeyferryError } from '@keyferry/core';
import { type Log, repeat } from '@keyferry/telemetry';

export interface CertificateFiles {
  cert: string;
  key: string;
  /** Whoever has a certificate of these authorities may connect, and nobody else. Null: anybody may. */
  clientCa: string | null;
}

/** What the listener shows of itself, as the files have it by now. */
export interface Certificates {
  options(): TlsOptions;
  /** Has the server use what the files have later, too. */
  keepOn(server: Pick<Server, 'setSecureContext' | 'once'>): void;
  /** Looks at the files now. What can't be used is told of once, and leaves what there was. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

interface Read {
  cert: Buffer;
  key: Buffer;
  ca: Buffer | null;
}

/** Certificates are replaced by programs that don't tell us: as long as that, clients may see the one before. */
const lookMs = 5_000;
const dayMs = 24 * 3_600_000;

/** Rejects with `config_invalid` if the files can't be used. */
export async function openCertificates(files: CertificateFiles, log: Log, now: () => number): Promise<Certificates> {
  const servers = new Set<Pick<Server, 'setSecureContext'>>();
  let current = await read(files);
  check(current, files);
  let refused: Read | null = null;
  let warnedAt = Number.NEGATIVE_INFINITY;

  function warnOfEnd(): void {
    const { validToDate } = new X509Certificate(current.cert);
    if (validToDate.getTime() > now() || now() < warnedAt + dayMs) return;
    warnedAt = now();
    log.warn({ file: files.cert, ended: validToDate.toISOString() }, 'the certificate of the API has expired');
  }

  async function take(): Promise<void> {
    const found = await read(files);
    if (same(found, current)) refused = null;
    else if (!same(found, refused)) {
      try {
        check(found, files);
        current = found;
        for (const server of servers) server.setSecureContext(contextOf(current));
        log.info({ file: files.cert }, 'the certificate of the API was replaced');
      } catch (error) {
        refused = found;
        throw error;
      }
    }
  }

  let unreadable = false;
  async function look(): Promise<void> {
    try {
      await take();
      unreadable = false;
    } catch (error) {
      const known = refused === null && unreadable;
      unreadable = refused === null;
      if (!known) log.warn({ error: error as Error }, 'the certificate of the API was not replaced');
    }
    warnOfEnd();
  }

  const looking = repeat(look, lookMs, () => {});
  return {
    options: () => ({
      ...contextOf(current),
      ...(files.clientCa !== null && { requestCert: true, rejectUnauthorized: true }),
    }),
    keepOn(server) {
      servers.add(server);
      server.once('close', () => servers.delete(server));
    },
    look,
    stop: () => looking.stop(),
  };
}

function contextOf({ cert, key, ca }: Read): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(ca && { ca }) };
}

async function read({ cert, key, clientCa }: CertificateFiles): Promise<Read> {
  const contents = await Promise.all([cert, key, clientCa].map((file) => (file === null ? null : contentOf(file))));
  return { cert: contents[0] ?? empty, key: contents[1] ?? empty, ca: contents[2] ?? null };
}

const empty = Buffer.alloc(0);

async function contentOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KeyferryError('config_invalid', `The file ${file}, which TLS of the API needs, can’t be read (${code}).`);
  }
}

/** Throws `config_invalid`, with no word of what the files hold. */
function check(found: Read, { cert, key, clientCa }: CertificateFiles): void {
  if (!isUsable(() => new X509Certificate(found.cert)))
    throw new KeyferryError('config_invalid', `The file ${cert} holds no certificate in PEM.`);
  if (found.ca !== null && !isUsable(() => new X509Certificate(found.ca ?? empty)))
    throw new KeyferryError('config_invalid', `The file ${clientCa} holds no certificate in PEM.`);
  if (!isUsable(() => createSecureContext(contextOf(found))))
    throw new KeyferryError('config_invalid', `The key in ${key} is not the one of the certificate in ${cert}.`);
}

function isUsable(make: () => unknown): boolean {
  try {
    make();
    return true;
  } catch {
    return false;
  }
}

function same(one: Read, other: Read | null): boolean {
  return (
    other !== null &&
    one.cert.equals(other.cert) &&
    one.key.equals(other.key) &&
    (one.ca ?? empty).equals(other.ca ?? empty)
  );
}
