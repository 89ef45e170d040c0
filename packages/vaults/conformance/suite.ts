import { describe, expect, test } from 'vitest';
import { Bench, type Cases, full } from './bench.ts';
import { aborting } from './cases/aborting.ts';
import { absence } from './cases/absence.ts';
import { calls } from './cases/calls.ts';
import { history } from './cases/history.ts';
import { listing } from './cases/listing.ts';
import { outages } from './cases/outages.ts';
import { probing } from './cases/probing.ts';
import { races } from './cases/races.ts';
import { reading } from './cases/reading.ts';
import { refusals } from './cases/refusals.ts';
import { removing } from './cases/removing.ts';
import { settings } from './cases/settings.ts';
import { silence } from './cases/silence.ts';
import { values } from './cases/values.ts';
import { writing } from './cases/writing.ts';
import type { ConformanceTarget } from './target.ts';

const topics: Record<string, Cases> = {
  settings,
  probing,
  listing,
  values,
  reading,
  absence,
  refusals,
  outages,
  aborting,
  races,
  writing,
  removing,
  history,
  silence,
  calls,
};

/** The same cases for every vault. What one can't have is skipped, with the reason in the output. */
export function describeConformance(target: ConformanceTarget): void {
  const timeout = target.caseTimeoutMs ?? (full ? 300_000 : 30_000);
  describe(target.name, () => {
    for (const [topic, cases] of Object.entries(topics)) {
      describe(topic, () => {
        for (const [name, run] of Object.entries(cases)) {
          test(name, { timeout }, (context) => {
            const bench = new Bench(target, context);
            const reason = target.skips[name];
            return reason === undefined ? run(bench) : bench.skip(reason);
          });
        }
      });
    }

    test('each case that the target can’t have is one that there is', () => {
      const names = Object.values(topics).flatMap((cases) => Object.keys(cases));
      expect(names).toEqual(expect.arrayContaining(Object.keys(target.skips)));
    });
  });
}
