import { errorAnswer } from '@keyferry/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

const revokeToken = 'another-token-for-tests';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ revokeToken });
});
afterAll(() => api.close());

describe('what can’t be asked for', () => {
  test.each([
    ['a segment of two dots', 'bifrost/..%2fone'],
    ['an empty segment', 'bifrost//one'],
    ['a NUL', 'bifrost/%00'],
    ['a control character', 'bifrost/%07'],
    ['1,025 bytes', 'x'.repeat(1025)],
    ['no Unicode', 'bifrost/%ff'],
    ['half a percent sign', 'bifrost/%'],
    ['a version that is no number', 'bifrost/one?version=new'],
    ['a version below the first', 'bifrost/one?version=0'],
    ['an empty field', 'bifrost/one?field='],
    ['an unknown member', 'bifrost/one?latest=true'],
  ])('%s is refused', async (_what, path) => {
    const { status, body } = await api.call('GET', `/v1/secrets/${path}`);
    expect([status, errorAnswer.parse(body).error.code]).toEqual([400, 'request_invalid']);
  });

  test.each([
    ['no body', undefined],
    ['no references', { references: [] }],
    ['an empty one', { references: [''] }],
    ['a number', { references: [1] }],
    ['too many', { references: Array.from({ length: 1001 }, () => 'a') }],
    ['more than was asked for', { references: ['a'], all: true }],
    ['a NUL', { references: ['a\0'] }],
  ])('to resolve: %s is refused', async (_what, body) => {
    const { status, body: answer } = await api.call('POST', '/v1/secrets/resolve', body);
    expect([status, errorAnswer.parse(answer).error.code]).toEqual([400, 'request_invalid']);
  });

  test('values are not for a token that may only revoke', async () => {
    const by = (method: 'GET' | 'POST', path: string, body?: object) => api.call(method, path, body, revokeToken);
    for (const { status, body } of [
      await by('GET', '/v1/secrets/bifrost/one'),
      await by('POST', '/v1/secrets/resolve', { references: ['vault.bifrost/one'] }),
    ])
      expect([status, body.error.details]).toEqual([403, { permission: 'read' }]);
    const headers = { authorization: `Bearer ${revokeToken}` };
    const head = await api.app.inject({ method: 'HEAD', url: '/v1/secrets/bifrost/one', headers });
    expect(head.statusCode).toBe(403);
    expect((await by('GET', '/v1/secrets')).status).toBe(200);
    expect((await by('POST', '/api/vault/flush-cache')).status).toBe(403);
  });
});
