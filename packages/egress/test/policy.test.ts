import { describe, expect, test } from 'vitest';
import { canonicalHost, parseEgress, type Resolve, resolveAllowed, sourceNetwork } from '../src/index.ts';

const resolvesTo =
  (address: string): Resolve =>
  async () => [{ address, family: address.includes(':') ? 6 : 4 }];
const literal: Resolve = async (host) => [{ address: canonicalHost(host) ?? '', family: 4 }];

const reached = async (allowed: string, host: string, resolve: Resolve = literal, plain = false) =>
  (await resolveAllowed(parseEgress(allowed), { host, plain }, resolve)).map(({ address }) => address);
const refused = { code: 'egress_refused' };

describe('without a word of the operator', () => {
  test.each(['93.184.216.34', '8.8.8.8', '2606:2800:220:1::1', '64:ff9b::808:808', '::ffff:8.8.8.8'])(
    'the public address %s can be reached',
    async (address) => {
      expect(await reached('', 'example.com', resolvesTo(address))).toEqual([address]);
      await expect(reached('', 'example.com', resolvesTo(address), true)).rejects.toMatchObject(refused);
    },
  );

  test.each([
    '127.0.0.1',
    '127.255.0.3',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.169.254',
    '168.63.129.16',
    '0.0.0.0',
    '0.1.2.3',
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '203.0.113.9',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '64:ff9b::7f00:1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::7f00:1',
    '2002:7f00:1::1',
    '2001::1',
    '2001:db8::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '3fff::1',
    '4000::1',
  ])('%s is refused, as an address that a name leads to and as one that is given', async (address) => {
    await expect(reached('', 'example.com', resolvesTo(address))).rejects.toMatchObject(refused);
    await expect(reached('', address, resolvesTo(address))).rejects.toMatchObject(refused);
    const bracketed = address.includes(':') ? `[${address}]` : `${address}.`;
    await expect(reached('', bracketed, resolvesTo(address))).rejects.toMatchObject(refused);
  });

  test.each(['0177.0.0.1', '2130706433', '0x7f.1', '127.1', '0x7f000001', '１２７.0.0.1', '127。0。0。1'])(
    '%s is 127.0.0.1, and refused',
    async (host) => {
      expect(canonicalHost(host)).toBe('127.0.0.1');
      // Not even looked up.
      await expect(reached('', host, resolvesTo('8.8.8.8'))).rejects.toMatchObject(refused);
    },
  );

  test.each(['', ' ', 'a b', 'a/b', 'user@host', 'host:80', '[::1', 'a\r\nb', '%31', '\\\\host'])(
    '"%s" is no host',
    async (host) => {
      await expect(reached('', host, resolvesTo('8.8.8.8'))).rejects.toMatchObject(refused);
    },
  );

  test('of several addresses only those that are allowed are used', async () => {
    const resolve: Resolve = async () => ['127.0.0.1', '8.8.8.8', '::1'].map((address) => ({ address, family: 4 }));
    expect(await reached('', 'example.com', resolve)).toEqual(['8.8.8.8']);
  });
});

describe('what the operator allows', () => {
  test.each([
    ['10.0.0.0/8', '10.200.0.1'],
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', '::ffff:127.0.0.1'],
    ['::1', '::1'],
    ['[fd00::]/8', 'fd00::1'],
    ['169.254.169.254', '169.254.169.254'],
    ['192.168.0.0/16, 10.0.0.0/8 ,', '10.0.0.1'],
  ])('%s lets %s be reached, without TLS too', async (allowed, address) => {
    const entries = allowed.replace('[fd00::]/8', 'fd00::/8');
    expect(await reached(entries, 'example.com', resolvesTo(address))).toEqual([address]);
    expect(await reached(entries, address, resolvesTo(address), true)).toEqual([address]);
  });

  test.each([
    ['10.0.0.0/8', '11.0.0.1', true],
    ['10.0.0.0/9', '10.128.0.1', false],
    ['127.0.0.1', '127.0.0.2', false],
  ])('%s says nothing of %s', async (allowed, address, isPublic) => {
    const reaching = reached(allowed, 'example.com', resolvesTo(address));
    if (isPublic) expect(await reaching).toEqual([address]);
    else await expect(reaching).rejects.toMatchObject(refused);
    await expect(reached(allowed, address, resolvesTo(address), true)).rejects.toMatchObject(refused);
  });

  test('a name is allowed wherever it leads in one’s own networks, however it is written', async () => {
    for (const host of ['mail.internal', 'MAIL.internal', 'mail.internal.'])
      expect(await reached('Mail.Internal.', host, resolvesTo('10.0.0.5'), true)).toEqual(['10.0.0.5']);
    expect(await reached('bücher.example', 'xn--bcher-kva.example', resolvesTo('10.0.0.5'))).toEqual(['10.0.0.5']);
    await expect(reached('mail.internal', 'other.internal', resolvesTo('10.0.0.5'))).rejects.toMatchObject(refused);
    await expect(reached('mail.internal', 'x.mail.internal', resolvesTo('10.0.0.5'))).rejects.toMatchObject(refused);
  });

  test('a name that is allowed does not lead to a cloud’s metadata', async () => {
    await expect(reached('mail.internal', 'mail.internal', resolvesTo('169.254.169.254'))).rejects.toMatchObject(
      refused,
    );
  });

  test.each(['10.0.0.0/33', '*.internal', 'http://host', '10.0.0', '0177.0.0.1', '010.0.0.0/8', 'host:25', 'a b'])(
    '"%s" is refused by its words',
    (entry) => {
      expect(() => parseEgress(`127.0.0.1,${entry}`)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
      expect(() => parseEgress(`127.0.0.1,${entry}`)).toThrow(`"${entry}"`);
    },
  );
});

describe('what gives a machine its identity', () => {
  test.each([
    '169.254.169.254',
    '168.63.129.16',
    '100.100.100.200',
    'fd00:ec2::254',
    'fd20:ce::254',
    '64:ff9b::a9fe:a9fe',
  ])('%s is not reached by a network that has it among many others, nor by the name of a host', async (address) => {
    for (const allowed of ['0.0.0.0/0,::/0', '100.64.0.0/10,fc00::/7,::ffff:0:0/96,64:ff9b::/96', 'metadata.internal'])
      await expect(reached(allowed, 'metadata.internal', resolvesTo(address))).rejects.toMatchObject(refused);
  });

  test.each([
    ['169.254.169.254', '169.254.169.254'],
    ['169.254.0.0/16', '169.254.169.254'],
    ['fd00:ec2::254', 'fd00:ec2::254'],
    ['168.63.129.16/32', '168.63.129.16'],
  ])('%s is reached where it is named itself', async (allowed, address) => {
    expect(await reached(allowed, 'metadata.internal', resolvesTo(address))).toEqual([address]);
  });
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::9', '2001:db8:1:3::/64'],
  ['nothing: of the kind', 'nothing: of the kind'],
])('requests from %s count as of %s', (address, source) => {
  expect(sourceNetwork(address)).toBe(source);
});
