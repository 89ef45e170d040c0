import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { onTestFinished } from 'vitest';

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8');

/** PEM of the authority that signed the mail server's certificate, which is for `mailHost`. */
export const mailAuthority = fixture('authority.pem');
export const mailHost = 'vault.test';

export interface MailServer {
  port: number;
  mails: { from: string; to: string[]; text: string; encrypted: boolean }[];
  /** Status codes for the next mails; then they are taken. */
  refusals: number[];
  /** Recipients who don't exist. */
  unknown: Set<string>;
}

export interface MailServerOptions {
  password: string;
  /** Encrypted from the start. */
  tls?: boolean;
  /** Doesn't offer STARTTLS. */
  plain?: boolean;
}

/** A real SMTP server that wants a login. */
export async function startMailServer({
  password,
  tls = false,
  plain = false,
}: MailServerOptions): Promise<MailServer> {
  const mails: MailServer['mails'] = [];
  const refusals: number[] = [];
  const unknown = new Set<string>();
  const refuse = (code: number) => Object.assign(new Error('words of the server'), { responseCode: code });
  const server = new SMTPServer({
    secure: tls,
    key: fixture('server-key.pem'),
    cert: fixture('server.pem'),
    ...(plain && { disabledCommands: ['STARTTLS'], allowInsecureAuth: true }),
    onAuth(auth, _session, done) {
      if (auth.username === 'keyferry' && auth.password === password) done(null, { user: 'keyferry' });
      else done(refuse(535));
    },
    onRcptTo({ address }, _session, done) {
      done(unknown.has(address) ? refuse(550) : null);
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const refusal = refusals.shift();
        if (refusal !== undefined) return done(refuse(refusal));
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString('utf8'),
          encrypted: session.secure,
        });
        done();
      });
    },
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port: (server.server.address() as AddressInfo).port, mails, refusals, unknown };
}
