import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  afterFailure,
  deliveryDelay,
  eventTypes,
  groupOf,
  type HappenedEvent,
  type NoticeMessage,
  toldPaths,
  withEvent,
} from '../src/index.ts';

const at = new Date('2026-01-01T12:00:30Z');
const event = (type: string, data: Record<string, unknown> = {}): HappenedEvent => ({
  type,
  backend_id: 'b',
  data: { backend: 'team', ...data },
  occurred_at: at,
});
const all = { eventTypes: [], backendIds: [], paths: [], minSeverity: 'info' } as const;

describe('a message', () => {
  const names = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 400 }), { maxLength: 30 });
  const events = fc.array(
    fc.record({
      type: fc.constantFrom(...eventTypes),
      paths: names,
      text: fc.string({ unit: 'binary', maxLength: 700 }),
    }),
    { minLength: 1, maxLength: 40 },
  );

  test('counts every key it is told of, names some, and can be stored, whatever the events hold', () => {
    fc.assert(
      fc.property(events, (given) => {
        let message: NoticeMessage | null = null;
        for (const { type, paths, text } of given) {
          const keys = paths.map((path) => ({ path, message: text, code: 'x' }));
          const data = { paths, keys, message: text, reason: text, actor: 'ann', error: { code: 'x', message: text } };
          message = withEvent(message, event(type, data), paths, null);
        }
        const told = message?.events ?? [];
        const total = given.reduce((sum, { paths }) => sum + paths.length, 0);
        expect(told.reduce((sum, { keys }) => sum + keys, 0)).toBe(total);
        expect(told.reduce((sum, entry) => sum + entry.events, 0)).toBe(given.length);
        for (const { paths, notes } of told) {
          expect(paths.length).toBeLessThanOrEqual(20);
          expect(notes.length).toBeLessThanOrEqual(5);
          for (const note of notes) {
            expect(note.length).toBeLessThanOrEqual(300);
            // Postgres takes no half of a surrogate pair.
            expect(note.isWellFormed()).toBe(true);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  test('has the severity of its gravest event, which comes first', () => {
    const first = withEvent(null, event('keys.created'), ['a'], null);
    const both = withEvent(first, event('keys.revoked'), ['b'], null);
    expect(both).toMatchObject({ severity: 'critical', events: [{ type: 'keys.revoked' }, { type: 'keys.created' }] });
  });

  test('tells of single keys only if the rule tells of their paths', () => {
    const keys = ['a', 'b'].map((path) => ({ path, code: 'x', message: 'It is empty.' }));
    const message = withEvent(null, event('keys.invalid', { paths: ['a', 'b'], keys }), ['b'], null);
    expect(message.events[0]?.notes).toEqual(['b: It is empty. (x)']);
  });

  test('is cut where no sign is torn apart, which Postgres would not store', () => {
    const cut = ['', 'x'].map((before) => {
      const revoked = event('keys.revoked', { actor: 'ann', reason: `${before}${'😀'.repeat(200)}` });
      return withEvent(null, revoked, [], null).events[0]?.notes[0] ?? '';
    });
    for (const note of cut) expect([note.length, note.isWellFormed()]).toEqual([300, true]);
  });

  test('can be made of events that a former version wrote', () => {
    const old = event('keys.updated', { paths: ['a'] });
    expect(toldPaths(all, old)).toEqual(['a']);
    expect(withEvent(null, { ...old, data: {} }, [], null)).toMatchObject({ severity: 'info', backend: 'b' });
  });
});

describe('a group', () => {
  test.each([
    ['keys.created', { cycle_id: 'c' }, 'cycle:c', '2026-01-01T13:00:40.000Z'],
    ['deprecation.held', { cycle_id: 'c' }, 'cycle:c', '2026-01-01T13:00:40.000Z'],
    ['keys.expired', { cycle_id: null }, 'minute:b:2026-01-01T12:00:00.000Z', '2026-01-01T12:01:00.000Z'],
    ['deprecation.held', { cycle_id: null }, 'at-once:b:2026-01-01T12:00:00.000Z', '2026-01-01T12:00:40.000Z'],
    ['keys.revoked', { cycle_id: 'c', urgent: true }, 'at-once:b:2026-01-01T12:00:00.000Z', '2026-01-01T12:00:40.000Z'],
  ])('of %s with %j is %s, complete at %s', (type, data, key, readyAt) => {
    const group = groupOf(event(type, data), new Date('2026-01-01T12:00:40Z'));
    expect({ key: group.key, readyAt: group.readyAt.toISOString() }).toEqual({ key, readyAt });
  });
});

describe('sending again', () => {
  test('waits twice as long each time, up to an hour, less up to half of it', () => {
    const waits = (random: number) => [1, 2, 3, 10, 11, 1000].map((failures) => deliveryDelay(failures, random) / 1000);
    expect(waits(0)).toEqual([5, 10, 20, 2560, 3600, 3600]);
    expect(waits(1)).toEqual([2.5, 5, 10, 1280, 1800, 1800]);
    expect(deliveryDelay(1, 0, 90_000)).toBe(90_000);
    expect(deliveryDelay(1, 0, 90_000_000)).toBe(3_600_000);
  });

  test('ends after five refusals, or when the time is over; never for a receiver that is gone', () => {
    const later = { refusals: 0, giveUpAt: new Date(at.getTime() + 1) };
    const failure = { code: 'delivery_refused', message: '' } as const;
    expect(afterFailure(failure, later, at)).toBe('retry');
    expect(afterFailure(failure, { ...later, refusals: 5 }, at)).toBe('give_up');
    expect(afterFailure(failure, { ...later, giveUpAt: at }, at)).toBe('give_up');
    expect(afterFailure({ ...failure, gone: true }, { refusals: 9, giveUpAt: at }, at)).toBe('retry');
  });
});
