import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { createTestCertificate, type TestCertificate } from '@keyferry/emulators';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type CertificateFiles, type Certificates, openCertificates } from '../../src/network/certificates.ts';
import { recordedLog } from '../support/recorded-log.ts';
import { startTestApi } from '../support/test-api.ts';

const made = (name: string, until?: Date) => createTestCertificate(name, ['127.0.0.1', 'localhost'], 'ec', until);

interface Bench {
  files: CertificateFiles;
  put(certificate: Partial<TestCertificate>): void;
  open(now?: () => number): Promise<Certificates>;
  lines: string[];
}

function bench({ clientCa }: { clientCa?: string } = {}): Bench {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const files = {
    cert: join(folder, 'cert.pem'),
    key: join(folder, 'key.pem'),
    clientCa: clientCa === undefined ? null : join(folder, 'ca.pem'),
  };
  if (files.clientCa) writeFileSync(files.clientCa, clientCa ?? '');
  const { log, lines } = recordedLog();
  return {
    files,
    lines,
    put({ certificate, privateKey }) {
      if (certificate !== undefined) writeFileSync(files.cert, certificate);
      if (privateKey !== undefined) writeFileSync(files.key, privateKey);
    },
    async open(now = Date.now) {
      const certificates = await openCertificates(files, log, now);
      onTestFinished(() => certificates.stop());
      return certificates;
    },
  };
}

async function serve(certificates: Certificates): Promise<number> {
  const api = await startTestApi({ network: { certificates } });
  onTestFinished(() => api.close());
  return Number(new URL(await api.app.listen({ host: '127.0.0.1', port: 0 })).port);
}

interface Asking {
  ca?: string;
  cert?: string;
  key?: string;
}

/** The status of an answer, over a connection of its own. */
function ask(port: number, options: Asking): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/healthz', agent: false, ...options }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

function shown(port: number, version?: 'TLSv1.1'): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const limits = version && ({ minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const);
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...limits }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('a listener with a certificate', () => {
  test('speaks TLS from 1.2 on, and nothing else', async () => {
    const one = made('one');
    const { put, open } = bench();
    put(one);
    const port = await serve(await open());
    expect(await ask(port, { ca: one.certificate })).toBe(200);
    await expect(ask(port, {})).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
    await expect(shown(port, 'TLSv1.1')).rejects.toThrow();
  });

  test('shows the one that takes its place, without a restart', async () => {
    const [one, two] = [made('one'), made('two')];
    const { put, open, lines } = bench();
    put(one);
    const certificates = await open();
    const port = await serve(certificates);
    expect((await shown(port)).subject.CN).toBe('one');
    put(two);
    await certificates.look();
    expect((await shown(port)).subject.CN).toBe('two');
    expect(await ask(port, { ca: two.certificate })).toBe(200);
    expect(lines.join()).toContain('the certificate of the API was replaced');
  });

  test('looks by itself', { timeout: 20_000 }, async () => {
    const { put, open } = bench();
    put(made('one'));
    const port = await serve(await open());
    put(made('two'));
    await vi.waitFor(async () => expect((await shown(port)).subject.CN).toBe('two'), {
      timeout: 15_000,
      interval: 200,
    });
  });

  test.each([
    ['a key that is not the certificate’s', { certificate: made('other').certificate }],
    ['no certificate', { certificate: 'canary' }],
    ['half of a key', { privateKey: made('other').privateKey.slice(0, 60) }],
  ])('stays with the one before, and says so once, if the files come to hold %s', async (_what, broken) => {
    const one = made('one');
    const { put, open, lines } = bench();
    put(one);
    const certificates = await open();
    const port = await serve(certificates);
    put(broken);
    for (let looks = 0; looks < 3; looks++) await certificates.look();
    expect((await shown(port)).subject.CN).toBe('one');
    const told = lines.filter((line) => line.includes('was not replaced'));
    expect(told).toHaveLength(1);
    expect(told[0]).not.toContain('canary');
    put(made('three'));
    await certificates.look();
    expect((await shown(port)).subject.CN).toBe('three');
  });

  test.each([
    ['a file that isn’t there', {}],
    ['a certificate that is none', { certificate: 'canary', privateKey: 'canary' }],
    ['a key of another certificate', { certificate: made('one').certificate, privateKey: made('two').privateKey }],
  ])('does not start with %s', async (_what, given) => {
    const { put, open } = bench();
    put(given);
    await expect(open()).rejects.toMatchObject({ code: 'config_invalid' });
  });

  test('warns of a certificate that has expired, at the start and once a day', async () => {
    const { put, open, lines } = bench();
    put(made('old', new Date('2026-01-02T00:00:00Z')));
    let now = Date.UTC(2026, 0, 3);
    const certificates = await open(() => now);
    await certificates.look();
    const told = () => lines.filter((line) => line.includes('has expired')).length;
    expect(told()).toBe(1);
    now += 24 * 3_600_000;
    await certificates.look();
    await certificates.look();
    expect(told()).toBe(2);
  });
});

describe('a listener that asks for certificates of clients', () => {
  test('takes those of its authority alone, also of one that takes its place', async () => {
    const [server, client, other] = [made('server'), made('client'), made('other')];
    const { put, open, files } = bench({ clientCa: client.certificate });
    put(server);
    const certificates = await open();
    const port = await serve(certificates);
    const ca = server.certificate;
    const by = ({ certificate, privateKey }: TestCertificate) => ({ ca, cert: certificate, key: privateKey });
    expect(await ask(port, by(client))).toBe(200);
    await expect(ask(port, { ca })).rejects.toThrow();
    await expect(ask(port, by(other))).rejects.toThrow();

    writeFileSync(files.clientCa ?? '', other.certificate);
    await certificates.look();
    expect(await ask(port, by(other))).toBe(200);
    await expect(ask(port, by(client))).rejects.toThrow();
  });
});
