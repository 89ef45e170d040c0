import { expect, test } from 'vitest';
import { type Explained, type ExplainedKey, explainKey, rulesMatching, type ToldChange } from '../src/index.ts';

const now = new Date('2026-02-01T00:00:00Z');
const time = (day: number) => new Date(Date.UTC(2026, 0, day));
const cycle = { id: 'c1', trigger: 'schedule' } as const;

const active: ExplainedKey = {
  state: 'active',
  revoked: false,
  version: 3,
  stateChangedAt: time(1),
  deprecatedFor: null,
  createdAt: time(1),
  createdIn: cycle,
  expiresAt: null,
  archiveAt: null,
  purgeAt: null,
  rotationDueAt: null,
  missingSince: null,
  kept: false,
  rolledBack: false,
  sides: { tombstone: false, owned: false, localOnly: false, ahead: false, conflict: null },
  hold: null,
  finding: null,
};

const change = (told: Partial<ToldChange> & Pick<ToldChange, 'change'>): ToldChange => ({
  at: time(2),
  from: 'active',
  to: 'active',
  version: 3,
  cycle: null,
  actor: null,
  reason: null,
  ...told,
});

const explain = (key: Partial<ExplainedKey> | null, story: ToldChange[] = [], rules?: Explained['rules']) =>
  explainKey(
    { path: 'a/b', key: key && { ...active, ...key }, story, rules: rules ?? { validation: null, lifecycle: [] } },
    now,
  );

test('an ordinary key needs two sentences', () => {
  expect(explain({})).toEqual([
    '"a/b" is active since 2026-01-01T00:00:00.000Z: version 3 is served.',
    'It was first carried on 2026-01-01T00:00:00.000Z, by cycle c1 (schedule).',
  ]);
});

test('a deprecated key tells what was proven, by which cycle, who approved it, and when it is archived', () => {
  const story = [change({ change: 'deprecated', to: 'deprecated', cycle })];
  const key = { state: 'deprecated', deprecatedFor: 'absent', archiveAt: time(3) } as const;
  const [standing, why, who, next] = explain({ ...key, hold: { id: 'h1', decidedBy: 'ann' } }, story);
  expect(standing).toContain('version 3 is served with a warning');
  expect(why).toBe('The vault was proven not to have it any more (2026-01-02T00:00:00.000Z, cycle c1 (schedule)).');
  expect(who).toBe('ann let it go, by approving the hold h1.');
  expect(next).toBe('It is archived on 2026-01-03T00:00:00.000Z if the vault still lacks it then.');
  expect(explain({ ...key, deprecatedFor: 'out_of_scope' }, story)[1]).toContain('settings leave it out');
  expect(explain({ ...key, archiveAt: null }, story).join()).toContain('auto_deprecate is off');
});

test('what revoked a key is told, not what happened to it before', () => {
  const story = [
    change({ change: 'revoked', from: 'archived', to: 'archived', actor: 'ann', reason: 'leaked' }),
    change({ change: 'archived', from: 'deprecated', to: 'archived' }),
  ];
  expect(explain({ state: 'archived', revoked: true }, story).slice(0, 3)).toEqual([
    '"a/b" is revoked and archived since 2026-01-01T00:00:00.000Z: it is not served.',
    'ann revoked it on 2026-01-02T00:00:00.000Z: leaked.',
    'It stays archived, and is never purged, until somebody lifts the revocation.',
  ]);
  const lifted = [change({ change: 'unrevoked', from: 'archived', to: 'archived', actor: 'bob' }), ...story];
  expect(explain({ state: 'archived', purgeAt: time(9) }, lifted).join(' ')).toContain('bob lifted a revocation');
});

test.each([
  [[change({ change: 'archived', from: 'deprecated', to: 'archived' })], 'Its grace period was over'],
  [
    [change({ change: 'archived', to: 'archived', actor: 'ann', reason: 'the backend was removed' })],
    'ann did it: the backend was removed.',
  ],
])('an archived key tells what archived it: %#', (story, words) => {
  expect(explain({ state: 'archived' }, story)[1]).toContain(words);
});

test.each([
  ['restored', { actor: 'ann', reason: 'still in use' }, 'ann restored it from a backup', 'still in use'],
  ['renewed', { cycle }, 'the vault renewed it', 'cycle c1'],
  ['found', { cycle }, 'the vault had it again', 'cycle c1'],
] as const)('an active key that was %s tells so', (word, more, ...words) => {
  const [, why] = explain({}, [change({ change: word, from: 'deprecated', ...more })]);
  for (const part of words) expect(why).toContain(part);
});

test('what is due, or was not done, is told with its time', () => {
  const text = explain({ expiresAt: time(40), rotationDueAt: time(5), missingSince: time(6), kept: true }).join(' ');
  expect(text).toContain('Its expiry is on 2026-02-09');
  expect(text).toContain('It should have been rotated on 2026-01-05');
  expect(text).toContain('No cycle has found it since 2026-01-06');
  expect(text).toContain('keeps it until the vault has it again');
  expect(explain({ rotationDueAt: time(60) }).join(' ')).toContain('It is to be rotated');
});

test('a key whose expiry has passed is not called served before a sweep has come by', () => {
  expect(explain({ expiresAt: time(20) })[0]).toContain('no longer served');
});

test('a rollback tells who, why, and how long', () => {
  const story = [change({ change: 'rolled_back', actor: 'ann', reason: 'it fails' })];
  expect(explain({ rolledBack: true }, story)[1]).toBe(
    'An earlier value is served, by ann on 2026-01-02T00:00:00.000Z: it fails, until the vault has another.',
  );
});

test('findings are told by their codes, and the rules by their places', () => {
  const finding = { rejected: true, since: time(4), problems: [{ code: 'value_pattern', message: 'It differs.' }] };
  const text = explain({ finding }, [], { validation: 1, lifecycle: [0, 2] }).join(' ');
  expect(text).toContain('The vault’s value was refused, since 2026-01-04T00:00:00.000Z: It differs. (value_pattern)');
  expect(text).toContain('judged by validation_rules[1]');
  expect(text).toContain('set by lifecycle_rules[0], lifecycle_rules[2]');
  expect(explain({ finding: { ...finding, rejected: false } }).join(' ')).toContain('carried with a warning');
});

test('a purged key is nothing but that', () => {
  expect(explain(null, [change({ change: 'purged', from: 'archived', to: null })])).toEqual([
    '"a/b" was purged on 2026-01-02T00:00:00.000Z: its values and backups are gone.',
  ]);
});

test('the rules of a path are the first that judges it, and all that set its periods', () => {
  const rules = {
    validation_rules: [{ paths: ['x/*'] }, { paths: ['a/*'] }, { paths: ['**'] }],
    lifecycle_rules: [{ paths: ['a/*'] }, { paths: ['b/*'] }, { paths: ['c', 'a/b'] }],
  };
  expect(rulesMatching(rules, 'a/b')).toEqual({ validation: 1, lifecycle: [0, 2] });
  expect(rulesMatching(rules, 'd').validation).toBe(2);
});

test('a key in conflict says what has changed, and whether somebody has spoken', () => {
  const conflict = { kind: 'changed', since: time(2), resolution: null, resolvedBy: null } as const;
  const told = (changed: object) =>
    explain({ sides: { ...active.sides, ahead: true, conflict: { ...conflict, ...changed } } });
  expect(told({}).slice(1, 3)).toEqual([
    'It is in conflict since 2026-01-02T00:00:00.000Z: it was changed in the vault and here. It is left as it was.',
    'A person has to say which side is kept.',
  ]);
  const resolved = told({ kind: 'removed', resolution: 'local', resolvedBy: 'ann' });
  expect(resolved[1]).toContain('it was changed here, and is gone from the vault.');
  expect(resolved[2]).toBe('ann said to keep what is here: the next cycle does.');
});

test('a key that was written or deleted here says by whom, and what the vault has of it', () => {
  const written = change({ change: 'written', actor: 'ann', reason: 'new account' });
  const ahead = explain({ sides: { ...active.sides, ahead: true } }, [written]);
  expect(ahead).toContain('It was changed here, and the vault lacks that value.');
  expect(ahead).toContain('ann wrote its value on 2026-01-02T00:00:00.000Z: new account.');
  expect(explain({}, [change({ change: 'rotated' }), written]).join()).not.toContain('ann wrote');
  const onlyHere = explain({ sides: { ...active.sides, ahead: true, localOnly: true, owned: false } });
  expect(onlyHere).toContain('Its value is only here: the vault has none of it.');
  expect(explain({ sides: { ...active.sides, owned: true } }).join()).toContain('Keyferry made its secret');

  const deleted = change({ change: 'deleted', to: 'archived', actor: 'ann' });
  const sides = { ...active.sides, tombstone: true };
  const gone = explain({ state: 'archived', purgeAt: time(30), sides }, [deleted]);
  expect(gone[1]).toBe('ann deleted it on 2026-01-02T00:00:00.000Z.');
  expect(gone[2]).toBe('It was deleted here, and stays, without being served or purged, while the vault has it.');
  expect(gone.join()).not.toContain('It is purged');
  const back = change({ change: 'written', from: 'archived', actor: 'bob' });
  expect(explain({}, [back])[1]).toBe('It was archived, and bob wrote another value (2026-01-02T00:00:00.000Z).');
});
