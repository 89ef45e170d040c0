import type { OpenChannel } from '@keyferry/contracts';
import { createEgressClient, parseEgress } from '@keyferry/egress';
import { describe, expect, onTestFinished, test } from 'vitest';
import { send } from '../src/channels/send.ts';
import { noticeMessage } from '../src/message.ts';
import { mailAuthority, mailHost, startMailServer } from './support/mail-server.ts';
import { startReceiver } from './support/receiver.ts';

const id = '0190a6c0-7f5e-4d0b-9b3e-1f2d3c4b5a69';
const password = 'canary-of-the-mail-password';

const message = (backend = 'team', paths = ['prod/a'], keys = paths.length) =>
  noticeMessage({
    id,
    rule_id: id,
    rule_name: 'ops',
    ready_at: new Date(0),
    message: {
      severity: 'warning',
      backend_id: id,
      backend,
      cycle_id: id,
      first_at: '2026-01-01T12:00:00.000Z',
      last_at: '2026-01-01T12:00:01.000Z',
      hold_ids: [],
      events: [{ type: 'keys.deprecated', severity: 'warning', events: 1, keys, paths, notes: [] }],
    },
  });

function context(allowed = `127.0.0.1,${mailHost}`) {
  const resolve = async () => [{ address: '127.0.0.1', family: 4 }];
  const egress = createEgressClient({ policy: parseEgress(allowed), resolve });
  onTestFinished(() => egress.close());
  return { egress, now: () => new Date(), signal: AbortSignal.timeout(5_000) };
}

const mail = (port: number, more: Partial<OpenChannel & { kind: 'email' }> = {}): OpenChannel => ({
  kind: 'email',
  name: 'mail',
  host: mailHost,
  port,
  security: 'starttls',
  username: 'keyferry',
  password,
  from: 'keyferry@example.com',
  to: ['ann@example.com', 'bob@example.com'],
  ca_cert: mailAuthority,
  ...more,
});

describe('Slack', () => {
  test('gets plain text in which names can’t be links or call anyone', async () => {
    const receiver = await startReceiver();
    const channel: OpenChannel = { kind: 'slack', name: 'chat', url: receiver.url };
    await send(channel, message('team', ['<!channel>', 'a&b', '<http://evil|click>'], 1200), context());
    const { text, ...rest } = JSON.parse(receiver.received[0]?.body ?? '');
    expect(text).toContain('Keyferry warning: team: keys.deprecated 1200\n');
    expect(text).toContain('&lt;!channel&gt;');
    expect(text).toContain('a&amp;b');
    expect(text).toContain('and 1197 more');
    expect(text).not.toMatch(/[<>]/);
    expect(rest).toEqual({ unfurl_links: false, unfurl_media: false });
  });
});

describe('mail', () => {
  test.each([
    ['starttls', false],
    ['tls', true],
  ] as const)('is sent by %s, with a login, to all recipients', async (security, tls) => {
    const server = await startMailServer({ password, tls });
    expect(await send(mail(server.port, { security }), message(), context())).toBe(null);
    const [sent] = server.mails;
    expect(sent).toMatchObject({
      from: 'keyferry@example.com',
      to: ['ann@example.com', 'bob@example.com'],
      encrypted: true,
    });
    expect(sent?.text).toContain('Subject: [Keyferry] warning: team: keys.deprecated 1\r\n');
    expect(sent?.text).toContain(`Message-ID: <${id}@example.com>`);
    expect(sent?.text).toContain('  prod/a');
  });

  test('has no header that a name could bring in', async () => {
    const server = await startMailServer({ password });
    const name = 'team\r\nBcc: eve@example.com\r\n\r\nbody\u202e';
    await send(mail(server.port), message(name, ['a\r\n.\r\nMAIL FROM:<eve@example.com>']), context());
    const [sent] = server.mails;
    expect(sent?.to).toEqual(['ann@example.com', 'bob@example.com']);
    const head = sent?.text.slice(0, sent.text.indexOf('\r\n\r\n')) ?? '';
    expect(head).not.toMatch(/^bcc:/im);
    expect(head.replace(/\r\n /g, ' ')).toContain('team\\u{d}\\u{a}Bcc: eve@example.com');
    expect(server.mails).toHaveLength(1);
  });

  test('is not sent where the server offers no encryption, unless that is said and the host is allowed', async () => {
    const server = await startMailServer({ password, plain: true });
    await expect(send(mail(server.port), message(), context())).rejects.toMatchObject({ code: 'delivery_refused' });
    expect(server.mails).toEqual([]);
    expect(await send(mail(server.port, { security: 'none' }), message(), context())).toBe(null);
    await expect(send(mail(server.port, { security: 'none' }), message(), context(''))).rejects.toMatchObject({
      code: 'egress_refused',
    });
  });

  test('is not sent to a server with a certificate that nobody known has signed, or for another host', async () => {
    const server = await startMailServer({ password });
    for (const wrong of [{ ca_cert: null }, { host: 'other.test' }])
      await expect(send(mail(server.port, wrong), message(), context('127.0.0.1'))).rejects.toMatchObject({
        code: 'delivery_unavailable',
      });
    expect(server.mails).toEqual([]);
  });

  test.each([
    [550, 'delivery_refused'],
    [451, 'delivery_unavailable'],
  ])('that the server answers with %i is %s, without its words', async (status, code) => {
    const server = await startMailServer({ password });
    server.refusals.push(status);
    const failed = await send(mail(server.port), message(), context()).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code,
      message: `The mail server of the channel "mail" answered with status ${status}.`,
    });
  });

  test('with a wrong password is refused', async () => {
    const server = await startMailServer({ password });
    const failed = send(mail(server.port, { password: 'wrong' }), message(), context());
    await expect(failed).rejects.toMatchObject({
      code: 'delivery_refused',
      message: 'The mail server of the channel "mail" refused the login with status 535.',
    });
  });

  test('that some recipients don’t get is sent to the others, with a warning', async () => {
    const server = await startMailServer({ password });
    server.unknown.add('ann@example.com');
    expect(await send(mail(server.port), message(), context())).toBe(
      'The mail server of "mail" refused 1 of the recipients.',
    );
    expect(server.mails[0]?.to).toEqual(['bob@example.com']);
    server.unknown.add('bob@example.com');
    await expect(send(mail(server.port), message(), context())).rejects.toMatchObject({ code: 'delivery_refused' });
  });

  test('goes to the address that was checked, and to no other that the name leads to then', async () => {
    const server = await startMailServer({ password });
    const answers = ['127.0.0.1', '10.0.0.1'];
    const resolve = async () => [{ address: answers.shift() ?? '10.0.0.1', family: 4 }];
    const egress = createEgressClient({ policy: parseEgress('127.0.0.1'), resolve });
    onTestFinished(() => egress.close());
    const sending = { egress, now: () => new Date(), signal: AbortSignal.timeout(5_000) };
    await send(mail(server.port), message(), sending);
    expect(server.mails).toHaveLength(1);
    await expect(send(mail(server.port), message(), sending)).rejects.toMatchObject({ code: 'egress_refused' });
  });

  test('to a server that hangs ends at the deadline', async () => {
    const { createServer } = await import('node:net');
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const hanging = send(mail(port), message(), { ...context(), signal: AbortSignal.timeout(50) });
    await expect(hanging).rejects.toMatchObject({ code: 'delivery_timeout' });
  });

  test('to a name whose look-up hangs ends at the deadline', async () => {
    const egress = createEgressClient({ policy: parseEgress('127.0.0.1'), resolve: () => new Promise(() => {}) });
    onTestFinished(() => egress.close());
    const sending = { egress, now: () => new Date(), signal: AbortSignal.timeout(50) };
    await expect(send(mail(25), message(), sending)).rejects.toMatchObject({ code: 'delivery_timeout' });
    const hook: OpenChannel = { kind: 'slack', name: 'chat', url: 'https://slow.example/' };
    await expect(send(hook, message(), sending)).rejects.toMatchObject({ code: 'delivery_timeout' });
  });
});
