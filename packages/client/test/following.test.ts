import { describe, expect, test, vi } from 'vitest';
import { startSite } from './support/clients.ts';

const followers = (count: number, site: { api: { followers: number } }) =>
  vi.waitFor(() => expect(site.api.followers).toBe(count));

describe('what is kept', () => {
  test('is given without asking while Keyferry tells that nothing changed', async () => {
    const { client, reads, settle } = await startSite({ a: '1' });
    await settle('vault.a');
    const before = reads();
    for (let time = 0; time < 1_000; time++) expect(await client.resolve('vault.a')).toBe('1');
    expect(reads()).toBe(before);
  });

  test('is asked for again when its time is over', async () => {
    const { client, reads, settle, skip } = await startSite({ a: '1' }, { cacheTtl: '10s' });
    await settle('vault.a');
    const before = reads();
    skip(10_000);
    await client.resolve('vault.a');
    expect(reads()).toBe(before + 1);
  });

  test('nobody follows for what is asked for once', async () => {
    const { api, client } = await startSite({ a: '1' });
    await client.resolve('vault.a');
    await client.resolve('plain');
    expect(api.requests.map(({ route }) => route)).toEqual(['POST /v1/secrets/resolve']);
  });

  test('is replaced when it changed, and everything when all is flushed', async () => {
    const { api, client, settle } = await startSite({ a: '1', b: '1' });
    await settle('vault.a');
    api.put('a', '2');
    await vi.waitFor(async () => expect(await client.resolve('vault.a')).toBe('2'));
    api.secrets.set('a', Buffer.from('3'));
    api.tell({ type: 'flush' });
    await vi.waitFor(async () => expect(await client.resolve('vault.a')).toBe('3'));
  });

  test('is looked at twice after a change: another process of Keyferry may not have noticed yet', async () => {
    const { api, client, settle, skip } = await startSite({ a: '1' });
    await settle('vault.a');
    // The first process tells; the second answers as it was.
    api.tell({ type: 'changed', paths: ['a'] });
    await vi.waitFor(() => expect(api.requests.length).toBeGreaterThan(0));
    await client.resolve('vault.a');
    api.secrets.set('a', Buffer.from('2'));
    skip(2_100);
    await vi.waitFor(async () => expect(await client.resolve('vault.a')).toBe('2'));
  });

  test('is looked at twice after a change also where its first answer took longer than others lag', async () => {
    const { api, client, errors, settle, skip } = await startSite({ a: '1' });
    await settle('vault.a');
    const told: string[] = [];
    client.watch('a', (value) => void told.push(value));
    const read = Promise.withResolvers<void>();
    const sent = Promise.withResolvers<void>();
    api.beforeAnswer = () => {
      read.resolve();
      return sent.promise;
    };
    // The second process answers as it was, and late.
    api.tell({ type: 'changed', paths: ['a'] });
    await read.promise;
    api.beforeAnswer = async () => {};
    api.secrets.set('a', Buffer.from('2'));
    skip(2_100);
    // Heard of again meanwhile.
    const { promise: heard, resolve } = Promise.withResolvers<void>();
    client.watch('b', () => resolve());
    await vi.waitFor(() => expect(errors).toHaveLength(1));
    api.put('b', '1');
    await heard;
    sent.resolve();
    await vi.waitFor(() => expect(told).toEqual(['2']), { timeout: 5_000 });
    expect(await client.resolve('vault.a')).toBe('2');
  });

  test('is not what was read before it changed: that reading is not kept, and nobody joins it', async () => {
    const { api, client, reads, settle, skip } = await startSite({ a: '1' }, { cacheTtl: '10s' });
    await settle('vault.a');
    skip(10_000);
    const read = Promise.withResolvers<void>();
    const sent = Promise.withResolvers<void>();
    api.beforeAnswer = () => {
      read.resolve();
      return sent.promise;
    };
    const early = client.resolve('vault.a');
    await read.promise;
    api.beforeAnswer = async () => {};
    api.put('a', '2');
    const before = reads();
    await vi.waitFor(() => {
      client.resolve('vault.a').catch(() => {});
      expect(reads()).toBe(before + 1);
    });
    expect(await client.resolve('vault.a')).toBe('2');
    sent.resolve();
    expect(await early).toBe('1');
    await api.stop();
    expect(await client.resolve('vault.a')).toBe('2');
  });

  test('is no more than maxEntries', async () => {
    const { api, client, settle } = await startSite({ a: '1', b: '2', c: '3' }, { maxEntries: 2 });
    await settle('vault.a');
    await client.resolve('vault.b');
    await client.resolve('vault.c');
    const before = api.requests.length;
    await client.resolve('vault.a');
    expect(api.requests.length).toBe(before + 1);
  });
});

describe('when Keyferry tells nothing any more', () => {
  test('what is kept is asked for again before it is given', async () => {
    const { api, client, reads, settle, skip } = await startSite({ a: '1' });
    await settle('vault.a');
    api.silent = true;
    api.secrets.set('a', Buffer.from('2'));
    const before = reads();
    skip(2_001);
    expect(await client.resolve('vault.a')).toBe('2');
    expect(reads()).toBe(before + 1);
  });

  test('it connects again, and what was read before is asked for again', async () => {
    const { api, client, settle, skip, ...site } = await startSite({ a: '1', b: '1' }, { cacheTtl: '7d' });
    await settle('vault.a');
    await settle('vault.b');
    await api.stop();
    await followers(0, { api, ...site });
    // Nobody was there to be told.
    api.secrets.set('a', Buffer.from('2'));
    await api.start();
    await followers(1, { api, ...site });
    expect(await client.resolve('vault.a')).toBe('2');
  });
});

describe('while Keyferry can’t be reached', () => {
  test('what was read is given for maxStale, and then an error', async () => {
    const { api, client, errors, settle, skip } = await startSite({ a: '1' }, { maxStale: '30m' });
    await settle('vault.a');
    await api.stop();
    expect(await client.resolve('vault.a')).toBe('1');
    skip(29 * 60_000);
    expect(await client.resolve('vault.a')).toBe('1');
    skip(60_000);
    await expect(client.resolve('vault.a')).rejects.toMatchObject({ code: 'api_unavailable', reference: 'vault.a' });
    await expect(client.resolve('vault.never')).rejects.toMatchObject({ code: 'api_unavailable' });
    expect(errors.map(({ code }) => code)).toEqual(['api_unavailable']);
  });

  test('nobody waits for it: what was read is given at once', async () => {
    const { api, client, settle } = await startSite({ a: '1' });
    await settle('vault.a');
    await api.stop();
    await client.resolve('vault.a');
    for (let time = 0; time < 1_000; time++) expect(await client.resolve('vault.a')).toBe('1');
  });

  test('nor if it answers that it can’t work, or its database can’t', async () => {
    const { api, client, settle, skip } = await startSite({ a: '1' }, { cacheTtl: '10s' });
    await settle('vault.a');
    api.refusal = { status: 503, code: 'database_unavailable' };
    skip(10_000);
    expect(await client.resolve('vault.a')).toBe('1');
  });

  test('what was told to have changed is not given', async () => {
    const { api, client, settle } = await startSite({ a: '1', b: '1' });
    await settle('vault.a');
    await settle('vault.b');
    api.refusal = { status: 503, code: 'database_unavailable' };
    api.tell({ type: 'changed', paths: ['a'] });
    await vi.waitFor(() => expect(client.resolve('vault.a')).rejects.toMatchObject({ code: 'api_unavailable' }));
    expect(await client.resolve('vault.b')).toBe('1');
  });
});

test('what Keyferry refuses is not given from memory', async () => {
  const { api, client, settle, skip } = await startSite({ a: '1', b: '2' }, { cacheTtl: '10s' });
  await settle('vault.a');
  await settle('vault.b');
  api.secrets.delete('a');
  skip(10_000);
  await expect(client.resolve('vault.a')).rejects.toMatchObject({ code: 'key_not_found' });
  api.refusal = { status: 503, code: 'database_unavailable' };
  await expect(client.resolve('vault.a')).rejects.toMatchObject({ code: 'api_unavailable' });
  api.refusal = { status: 401, code: 'unauthorized' };
  skip(10_000);
  await vi.waitFor(() => expect(client.resolve('vault.b')).rejects.toMatchObject({ code: 'unauthorized' }));
  await api.stop();
  await expect(client.resolve('vault.b')).rejects.toMatchObject({ code: 'api_unavailable' });
});

describe('watch', () => {
  test('calls back with a new value, and not with the same one', async () => {
    const { api, client } = await startSite({ 'a#b': '1' });
    const seen: string[] = [];
    client.watch('a#b', (value) => void seen.push(value));
    await followers(1, { api });
    await client.resolve('vault.a%23b');
    api.put('a#b', '2');
    await vi.waitFor(() => expect(seen).toEqual(['2']));
    api.put('a#b', '2');
    api.put('a#b', '3');
    await vi.waitFor(() => expect(seen).toEqual(['2', '3']));
  });

  test('of a field calls back when the field is another', async () => {
    const { api, client } = await startSite({ pair: '{"user":"u","password":"1"}' });
    const seen: string[] = [];
    client.watch('vault.pair#password', (value) => void seen.push(value));
    await followers(1, { api });
    await client.resolve('vault.pair#password');
    api.put('pair', '{"user":"v","password":"1"}');
    api.put('pair', '{"user":"v","password":"2"}');
    await vi.waitFor(() => expect(seen.at(-1)).toBe('2'));
  });

  test('sees what changed while it was cut off, and what is flushed', async () => {
    const { api, client } = await startSite({ a: '1' });
    const seen: string[] = [];
    client.watch('a', (value) => void seen.push(value));
    await followers(1, { api });
    await client.resolve('vault.a');
    await api.stop();
    api.secrets.set('a', Buffer.from('2'));
    await api.start();
    await vi.waitFor(() => expect(seen).toEqual(['2']));
    api.secrets.set('a', Buffer.from('3'));
    api.tell({ type: 'flush' });
    await vi.waitFor(() => expect(seen).toEqual(['2', '3']));
  });

  test('tells onError what can’t be read and what the callback throws, and goes on', async () => {
    const { api, client, errors } = await startSite();
    const seen: string[] = [];
    client.watch('a', (value) => {
      seen.push(value);
      throw new Error(`with the value ${value}`);
    });
    await vi.waitFor(() => expect(errors).toMatchObject([{ code: 'key_not_found', reference: 'vault.a' }]));
    await followers(1, { api });
    api.put('a', 'canary-8');
    await vi.waitFor(() => expect(errors.map(({ code }) => code)).toEqual(['key_not_found', 'callback_failed']));
    expect(String(errors[1])).not.toContain('canary-8');
    api.put('a', '9');
    await vi.waitFor(() => expect(seen).toEqual(['canary-8', '9']));
  });

  test('ends when it is told to, and with the client', async () => {
    const { api, client } = await startSite({ a: '1', b: '1' });
    const seen: string[] = [];
    const end = client.watch('a', (value) => void seen.push(`a ${value}`));
    client.watch('b', (value) => void seen.push(`b ${value}`));
    await followers(1, { api });
    await client.resolve('vault.a');
    end();
    api.put('a', '2');
    api.put('b', '2');
    await vi.waitFor(() => expect(seen).toEqual(['b 2']));
    client.close();
    await followers(0, { api });
    expect(() => client.watch('a', () => {})).toThrow(expect.objectContaining({ code: 'client_closed' }));
  });
});
