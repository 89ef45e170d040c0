import type { Policy, Subject } from '@keyferry/core';
import { expect, test } from 'vitest';
import { compiledGrants } from '../src/compiled-grants.ts';

const circumstances = { address: null, now: new Date('2026-06-01T12:00:00Z') };
const subject = (identityId: string): Subject => ({ identityId, issuerId: null, claims: {}, scopes: new Set() });
const policy = (name: string, ...identities: string[]): Policy => ({
  id: name,
  name,
  pathGlob: `${name}/**`,
  permissions: ['read'],
  ipRanges: [],
  expiresAt: null,
  bindings: identities.map((identity_id) => ({ identity_id })),
});

test('those to whom the same policies apply have the same grants, and other policies are others', () => {
  const compiled = compiledGrants();
  const grantsOf = compiled.among([policy('shop', 'ann', 'bob'), policy('else', 'eve')]);
  const ann = grantsOf(subject('ann'));
  expect(ann?.find('read', 'shop/a', circumstances)?.name).toBe('shop');
  expect(grantsOf(subject('bob'))).toBe(ann);
  expect(grantsOf(subject('eve'))?.find('read', 'shop/a', circumstances)).toBeNull();
  expect(grantsOf(subject('nobody'))).toBeNull();
  expect(
    compiled
      .among([policy('other', 'ann')])(subject('ann'))
      ?.find('read', 'shop/a', circumstances),
  ).toBeNull();
});

test('claims are told apart by what they say', () => {
  const bindings = [{ issuer_id: 'ci', claims: { sub: 'repo:shop/*' } }];
  const grantsOf = compiledGrants().among([{ ...policy('shop'), bindings }]);
  const by = (sub: string) => grantsOf({ identityId: null, issuerId: 'ci', claims: { sub }, scopes: new Set() });
  expect(by('repo:shop/a')).not.toBeNull();
  expect(by('repo:shop/b')).toBe(by('repo:shop/a'));
  expect(by('repo:else/a')).toBeNull();
});

test('what is kept is bounded by the number of policies in it, whoever they are for', () => {
  const compiled = compiledGrants();
  const common = Array.from({ length: 10_000 }, (_, index) => index);
  const names = Array.from({ length: 12 }, (_, index) => `who-${index}`);
  const grantsOf = compiled.among([
    ...common.map((index) => policy(`p${index}`, ...names)),
    ...names.map((name) => policy(`own-${name}`, name)),
  ]);
  const first = grantsOf(subject('who-0'));
  for (const name of names) grantsOf(subject(name));
  const last = grantsOf(subject('who-11'));
  expect(grantsOf(subject('who-11'))).toBe(last);
  const again = grantsOf(subject('who-0'));
  expect(again).not.toBe(first);
  expect(again?.find('read', 'own-who-0/a', circumstances)).not.toBeNull();
});
