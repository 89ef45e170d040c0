import { expect, test } from 'vitest';
import { isOfAllPaths, type Policy, policiesFor, type Scope, type Subject } from '../src/index.ts';

const policy = (bindings: Policy['bindings'], pathGlob = 'team/**'): Policy => {
  const more = { permissions: ['read'], ipRanges: [], expiresAt: null } as const;
  return { id: 'p', name: 'p', pathGlob, bindings, ...more };
};
const subject = (more: Partial<Subject> = {}): Subject => ({
  identityId: null,
  issuerId: null,
  claims: {},
  scopes: new Set(),
  ...more,
});
const applies = (bindings: Policy['bindings'], who: Partial<Subject>, glob?: string) =>
  policiesFor([policy(bindings, glob)], subject(who)).length === 1;

test('a policy is for the identities that it names, and for nobody where it names none', () => {
  expect(applies([{ identity_id: 'a' }, { identity_id: 'b' }], { identityId: 'b' })).toBe(true);
  expect(applies([{ identity_id: 'a' }], { identityId: 'b' })).toBe(false);
  expect(applies([{ identity_id: 'a' }], {})).toBe(false);
  expect(applies([], { identityId: 'a' })).toBe(false);
});

test('claims count only from the issuer that the policy names', () => {
  const bindings = [{ issuer_id: 'ci', claims: { sub: 'job' } }];
  expect(applies(bindings, { issuerId: 'ci', claims: { sub: 'job' } })).toBe(true);
  expect(applies(bindings, { issuerId: 'other', claims: { sub: 'job' } })).toBe(false);
  expect(applies(bindings, { claims: { sub: 'job' } })).toBe(false);
});

test.each(['**', '*', '*/**', '**/*', '?', '*/?*'])('"%s" is of all paths, and for nobody without settings', (glob) => {
  const scopes = (...held: Scope[]) => ({ identityId: 'a', scopes: new Set(held) });
  expect(isOfAllPaths(glob)).toBe(true);
  expect(applies([{ identity_id: 'a' }], scopes('settings'), glob)).toBe(true);
  expect(applies([{ identity_id: 'a' }], scopes('federation:write', 'audit:read'), glob)).toBe(false);
});

test.each(['a/**', '**/a', '*-*', 'a'])('"%s" is not', (glob) => {
  expect(isOfAllPaths(glob)).toBe(false);
  expect(applies([{ identity_id: 'a' }], { identityId: 'a' }, glob)).toBe(true);
});
