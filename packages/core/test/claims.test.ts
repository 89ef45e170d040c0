import { describe, expect, test } from 'vitest';
import { claimsMatch } from '../src/index.ts';

const claims = {
  sub: 'system:serviceaccount:prod:deployer',
  email_verified: true,
  level: 3,
  groups: ['dev', 'ops', 7],
  nothing: null,
  'kubernetes.io': { namespace: 'prod', pod: { name: 'a/b' }, 'a/b': { '~c': 'odd' } },
  'https://acme.example/team': 'payments',
};

describe('claims match', () => {
  test.each<Record<string, string>>([
    { sub: 'system:serviceaccount:prod:deployer' },
    { sub: 'system:serviceaccount:prod:*' },
    { email_verified: 'true', level: '3' },
    { groups: 'ops' },
    { groups: 'o*' },
    { '/kubernetes.io/namespace': 'prod' },
    { '/kubernetes.io/pod/name': 'a/*' },
    { '/kubernetes.io/a~1b/~0c': 'odd' },
    { '/groups/0': 'dev' },
    { 'https://acme.example/team': 'payments' },
  ])('%j', (wanted) => expect(claimsMatch(claims, wanted)).toBe(true));

  test.each<Record<string, string>>([
    {},
    { sub: 'system:serviceaccount:prod' },
    { sub: '*:deployer' },
    { sub: 'SYSTEM:serviceaccount:prod:deployer' },
    { sub: 'system:serviceaccount:prod:deployer', groups: 'admin' },
    { absent: '*' },
    { nothing: 'null' },
    { nothing: '*' },
    { groups: '7' },
    { level: '3*' },
    { 'kubernetes.io': '*' },
    { '/kubernetes.io/absent/name': 'x' },
    { '/sub/length': '35' },
    { '/groups/length': '3' },
    { toString: '*' },
    { '/constructor/name': 'Object' },
  ])('not %j', (wanted) => expect(claimsMatch(claims, wanted)).toBe(false));
});
