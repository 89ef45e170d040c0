import { expect, test } from 'vitest';
import { askVault, login, manualClock, startVault } from './azure-client.ts';

test('a secret is written, read with and without its version, and shown without it in a listing', async () => {
  const { vault, ask } = await startVault();
  const written = await ask('/secrets/one', {
    body: { value: 'first', tags: { owner: 'search' }, contentType: 'text/x' },
  });
  expect(written).toMatchObject({ status: 200, body: { value: 'first', contentType: 'text/x' } });
  const version = /\/secrets\/one\/([0-9a-f]{32})$/.exec(written.body.id)?.[1];
  await ask('/secrets/one', { body: { value: 'second' } });
  expect((await ask('/secrets/one')).body).toMatchObject({ value: 'second', tags: {} });
  expect((await ask('/secrets/one/')).body.value).toBe('second');
  expect((await ask(`/secrets/one/${version}`)).body).toMatchObject({ value: 'first', tags: { owner: 'search' } });
  const { body } = await ask('/secrets');
  expect(body).toMatchObject({
    nextLink: null,
    value: [{ id: `${vault.url}/secrets/one`, attributes: { enabled: true } }],
  });
  expect(JSON.stringify(body)).not.toContain('second');
});

test('names are letters, digits and dashes, up to 127 of them, and their case does not count', async () => {
  const { vault, ask } = await startVault();
  for (const name of ['a_b', 'a.b', 'a%20b', 'x'.repeat(128)])
    expect(await ask(`/secrets/${name}`, { body: { value: 'x' } })).toMatchObject({
      status: 400,
      body: { error: { code: 'BadParameter' } },
    });
  expect(await ask(`/secrets/${'x'.repeat(127)}`, { body: { value: 'x' } })).toMatchObject({ status: 200 });
  await ask('/secrets/Mixed-Case', { body: { value: 'one' } });
  await ask('/secrets/mixed-case', { body: { value: 'two' } });
  const { body } = await ask('/secrets/MIXED-CASE');
  expect(body).toMatchObject({ value: 'two', id: expect.stringContaining('/secrets/Mixed-Case/') });
  expect(vault.secrets.names()).toEqual(['Mixed-Case', 'x'.repeat(127)]);
});

test('a write is refused for what the service does not take', async () => {
  const { ask } = await startVault();
  const refused: unknown[] = [
    {},
    { value: 42 },
    'no JSON',
    '["a"]',
    { value: 'x'.repeat(25_601) },
    { value: 'x', other: 1 },
    { value: 'x', attributes: { enabled: 'yes' } },
    { value: 'x', attributes: { exp: 'tomorrow' } },
    { value: 'x', attributes: { created: 1 } },
    { value: 'x', tags: Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`tag-${index}`, 'x'])) },
    { value: 'x', tags: { name: 'x'.repeat(257) } },
    { value: 'x', tags: { name: 7 } },
  ];
  for (const body of refused)
    expect(await ask('/secrets/a', { body }), JSON.stringify(body).slice(0, 60)).toMatchObject({ status: 400 });
  expect((await ask('/secrets/a')).status).toBe(404);
  for (const body of [{ value: '' }, { value: 'x'.repeat(25_600) }])
    expect((await ask('/secrets/a', { body })).status).toBe(200);
});

test('a version of the API that is missing or unknown is refused', async () => {
  const { ask } = await startVault();
  for (const query of ['?', '?api-version=', '?api-version=6.0', '?api-version=7.40'])
    expect(await ask(`/secrets${query}`), query).toMatchObject({
      status: 400,
      body: { error: { code: 'BadParameter' } },
    });
  for (const query of ['?api-version=7.0', '?api%2Dversion=7.6', '?api-version=2025-07-01'])
    expect((await ask(`/secrets${query}`)).status, query).toBe(200);
});

test('a secret that is not there, and one of another path, answer 404 in their own words', async () => {
  const { ask } = await startVault();
  expect(await ask('/secrets/none')).toMatchObject({ status: 404, body: { error: { code: 'SecretNotFound' } } });
  expect(await ask('/deletedsecrets/none')).toMatchObject({ status: 404, body: { error: { code: 'SecretNotFound' } } });
  expect(await ask('/keys/none')).toMatchObject({ status: 404, body: { error: { code: 'NotFound' } } });
  expect(await ask('/secrets', { method: 'POST', body: {} })).toMatchObject({ status: 404 });
});

test('pages hold up to 25, and go on where the last one ended, by a token for that listing alone', async () => {
  const { vault, ask } = await startVault();
  for (let index = 0; index < 60; index++) vault.secrets.put(`key-${String(index).padStart(2, '0')}`, 'x');
  const seen: string[] = [];
  let next: string | null = `${vault.url}/secrets?api-version=7.4&maxresults=25`;
  const sizes: number[] = [];
  while (next !== null) {
    const { body } = await ask(next.slice(vault.url.length));
    sizes.push(body.value.length);
    seen.push(...body.value.map(({ id }: { id: string }) => id.split('/').at(-1)));
    next = body.nextLink;
  }
  expect(sizes).toEqual([25, 25, 10]);
  expect(seen).toEqual(vault.secrets.names());

  for (const most of ['0', '26', '-1', 'all'])
    expect((await ask(`/secrets?api-version=7.4&maxresults=${most}`)).status, most).toBe(400);
  const { nextLink } = (await ask('/secrets?api-version=7.4&maxresults=5')).body;
  const path = nextLink.slice(vault.url.length);
  expect((await ask(path)).body.value).toHaveLength(5);
  for (const other of [
    path.replace('maxresults=5', 'maxresults=6'),
    path.replace('/secrets', '/deletedsecrets'),
    `${path}x`,
  ])
    expect((await ask(other)).status, other).toBe(400);
  expect((await ask('/secrets?api-version=7.4&$skiptoken=made-up')).status).toBe(400);
});

test('what is written while a listing goes on is shown if it comes later in it', async () => {
  const { vault, ask } = await startVault();
  for (const name of ['b', 'd', 'f']) vault.secrets.put(name, 'x');
  const { nextLink } = (await ask('/secrets?api-version=7.4&maxresults=1')).body;
  vault.secrets.put('a', 'x');
  vault.secrets.put('c', 'x');
  vault.secrets.purge('d');
  const second = (await ask(nextLink.slice(vault.url.length))).body;
  expect(second.value[0].id).toMatch(/\/secrets\/c$/);
  expect((await ask(second.nextLink.slice(vault.url.length))).body.value[0].id).toMatch(/\/secrets\/f$/);
});

test('versions are listed in the order of their ids, and a name that is not there has none', async () => {
  const { vault, ask } = await startVault();
  for (let index = 0; index < 30; index++) vault.secrets.put('a', `value-${index}`);
  const first = (await ask('/secrets/a/versions')).body;
  const second = (await ask(first.nextLink.slice(vault.url.length))).body;
  const ids = [...first.value, ...second.value].map(({ id }: { id: string }) => id.split('/').at(-1));
  expect(ids).toEqual([...vault.secrets.versions('a')].sort());
  expect(await ask('/secrets/none/versions')).toMatchObject({ status: 200, body: { value: [], nextLink: null } });
});

test('a disabled secret is listed, and answers 403 with a code of its own', async () => {
  const { ask } = await startVault();
  await ask('/secrets/a', { body: { value: 'x' } });
  const updated = await ask('/secrets/a', { method: 'PATCH', body: { attributes: { enabled: false } } });
  expect(updated).toMatchObject({ status: 200, body: { attributes: { enabled: false } } });
  expect(updated.body).not.toHaveProperty('value');
  expect(await ask('/secrets/a')).toMatchObject({
    status: 403,
    body: { error: { code: 'Forbidden', innererror: { code: 'SecretDisabled' } } },
  });
  expect((await ask('/secrets')).body.value[0].attributes.enabled).toBe(false);
});

test('a deleted secret is shown without its value, keeps its name, and comes back with its versions', async () => {
  const { vault, ask } = await startVault();
  for (const value of ['one', 'two']) await ask('/secrets/a', { body: { value } });
  const deleted = await ask('/secrets/a', { method: 'DELETE' });
  expect(deleted).toMatchObject({ status: 200, body: { recoveryId: `${vault.url}/deletedsecrets/a` } });
  expect(JSON.stringify(deleted.body)).not.toContain('two');
  expect((await ask('/secrets/a')).status).toBe(404);
  expect((await ask('/secrets')).body.value).toEqual([]);
  expect((await ask('/secrets/a/versions')).body.value).toEqual([]);
  expect((await ask('/deletedsecrets')).body.value).toHaveLength(1);
  expect(await ask('/secrets/A', { body: { value: 'three' } })).toMatchObject({
    status: 409,
    body: { error: { code: 'Conflict', innererror: { code: 'ObjectIsDeletedButRecoverable' } } },
  });
  expect(await ask('/secrets/a', { method: 'DELETE' })).toMatchObject({ status: 404 });
  expect(await ask('/deletedsecrets/a/recover', { method: 'POST' })).toMatchObject({ status: 200 });
  expect((await ask('/secrets/a')).body.value).toBe('two');
  expect((await ask('/secrets/a/versions')).body.value).toHaveLength(2);
  expect((await ask('/deletedsecrets/a/recover', { method: 'POST' })).status).toBe(404);
});

test('a purged secret is gone for good, and one whose time is over too', async () => {
  const clock = manualClock();
  const { vault, clientId, clientSecret } = await startVault({ now: clock.now });
  const ask = async (path: string, asked = {}) =>
    askVault(vault, await login(vault, { client_id: clientId, client_secret: clientSecret }), path, asked);
  for (const name of ['a', 'b']) {
    await ask(`/secrets/${name}`, { body: { value: 'x' } });
    await ask(`/secrets/${name}`, { method: 'DELETE' });
  }
  expect(await ask('/deletedsecrets/a', { method: 'DELETE' })).toMatchObject({ status: 204 });
  expect((await ask('/deletedsecrets/a')).status).toBe(404);
  clock.advance(90 * 24 * 3600 - 1);
  expect((await ask('/deletedsecrets/b')).status).toBe(200);
  clock.advance(1);
  expect((await ask('/deletedsecrets/b')).status).toBe(404);
  for (const name of ['a', 'b']) expect((await ask(`/secrets/${name}`, { body: { value: 'new' } })).status).toBe(200);
});

test('deleting and recovering take their time, in which nothing can be done with the name', async () => {
  const clock = manualClock();
  const { ask } = await startVault({ now: clock.now, settleMs: 5_000 });
  await ask('/secrets/a', { body: { value: 'x' } });
  await ask('/secrets/a', { method: 'DELETE' });
  for (const asked of [{ body: { value: 'y' } }, { method: 'DELETE' }])
    expect(await ask('/secrets/a', asked)).toMatchObject({
      status: 409,
      body: { error: { innererror: { code: 'ObjectIsBeingDeleted' } } },
    });
  expect((await ask('/secrets/a')).status).toBe(404);
  expect((await ask('/deletedsecrets/a')).status).toBe(404);
  expect((await ask('/deletedsecrets/a/recover', { method: 'POST' })).status).toBe(409);
  clock.advance(5);
  expect((await ask('/deletedsecrets/a')).status).toBe(200);
  expect((await ask('/deletedsecrets/a/recover', { method: 'POST' })).status).toBe(200);
  expect((await ask('/secrets/a')).status).toBe(404);
  expect(await ask('/secrets/a', { body: { value: 'y' } })).toMatchObject({
    status: 409,
    body: { error: { innererror: { code: 'ObjectIsBeingRecovered' } } },
  });
  clock.advance(5);
  expect((await ask('/secrets/a')).body.value).toBe('x');
});

test('times are whole seconds of the emulator’s clock, which the Date of an answer tells', async () => {
  const clock = manualClock();
  const { ask } = await startVault({ now: clock.now });
  clock.advance(0.9);
  const { body, headers } = await ask('/secrets/a', {
    body: { value: 'x', attributes: { exp: 4_102_444_800, nbf: 1 } },
  });
  const seconds = Date.UTC(2026, 0, 1) / 1000;
  expect(body.attributes).toMatchObject({ created: seconds, updated: seconds, exp: 4_102_444_800, nbf: 1 });
  expect(headers.date).toBe('Thu, 01 Jan 2026 00:00:00 GMT');
});
