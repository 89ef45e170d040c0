import { compileGrants, type Policy } from '@keyferry/core';
import { inRanges } from '@keyferry/egress';
import { type Figure, median } from './report.ts';

/** What a request's permission costs, where its tenant has very many policies and all of them are for who asks. */

const count = 10_000;
/** Microseconds. */
const bound = 20;
const rounds = 5;
const checksARound = 20_000;
const now = new Date('2026-05-01T00:00:00Z');
const circumstances = { address: '10.7.0.9', now };

interface Set {
  name: string;
  policies: Policy[];
  /** Paths that are granted, and paths that look like them and are not. */
  hits: string[];
  misses: string[];
}

export async function benchPolicies(log: (line: string) => void): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name, policies, hits, misses } of [usual(), starred()]) {
    log(`policies: ${count} ${name}`);
    const compiling = Array.from({ length: rounds }, () => timed(() => compileGrants(policies, inRanges)) / 1_000);
    const grants = compileGrants(policies, inRanges);
    const check = (path: string) => grants.find('read', path, circumstances) !== null;
    if (!hits.every(check) || misses.some(check)) throw new Error(`${name}: the paths are not what they were made for`);
    const cost = (paths: readonly string[]) =>
      median(
        Array.from({ length: rounds }, () => {
          const all = timed(() => {
            for (let index = 0; index < checksARound; index++) check(paths[index % paths.length] as string);
          });
          return all / checksARound;
        }),
      );
    const figure = (what: string, value: number, unit: string, most: number | null) =>
      figures.push({ name: `policies.${name}.${what}`, value, unit, bound: most });
    figure('granted', cost(hits), 'µs', bound);
    figure('refused', cost(misses), 'µs', bound);
    figure('compile', median(compiling), 'ms', null);
  }
  return figures;
}

/** Microseconds of the processor: others may want it at the same time. */
function timed(work: () => unknown): number {
  const begun = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(begun);
  return user + system;
}

function policy(index: number, pathGlob: string): Policy {
  const name = `policy-${index}`;
  // Some have conditions, as they do where somebody thinks about them.
  const ipRanges = index % 10 === 0 ? ['10.0.0.0/8', 'fd00::/8'] : [];
  const expiresAt = index % 7 === 0 ? new Date(now.getTime() + 86_400_000) : null;
  return { id: name, name, pathGlob, permissions: ['read', 'list'], ipRanges, expiresAt, bindings: [] };
}

const indexes = Array.from({ length: count }, (_, index) => index);

/** What teams write: folders, environments of any project, names wherever they are, beginnings of names. */
function usual(): Set {
  const globs = [
    (index: number) => `team-${index}/services/api-${index}/database`,
    (index: number) => `team-${index}/*/prod/**`,
    (index: number) => `**/credentials-${index}`,
    (index: number) => `shared/svc-${index}-*/key`,
    (index: number) => `team-${index}/**`,
  ];
  const paths = [
    (index: number) => `team-${index}/services/api-${index}/database`,
    (index: number) => `team-${index}/billing/prod/payments/stripe`,
    (index: number) => `platform/eu/credentials-${index}`,
    (index: number) => `shared/svc-${index}-blue/key`,
    (index: number) => `team-${index}/a/b/c/d`,
  ];
  const others = [
    (index: number) => `team-${index}/services/api-x/database`,
    (index: number) => `team-${index}/billing/test/payments/stripe`,
    (index: number) => `platform/eu/credentials-${index}x`,
    (index: number) => `shared/svc-${index}/key`,
    (index: number) => `teams/${index}/a/b/c/d`,
  ];
  const some = <Made>(makers: readonly ((index: number) => Made)[], index: number) =>
    (makers[index % makers.length] as (index: number) => Made)(index);
  return {
    name: 'usual',
    policies: indexes.map((index) => policy(index, some(globs, index))),
    hits: indexes.map((index) => some(paths, index)),
    misses: indexes.map((index) => some(others, index)),
  };
}

/** Stars within names, everywhere, so that no folder leads to the few that matter. */
function starred(): Set {
  return {
    name: 'starred',
    policies: indexes.map((index) => policy(index, `*/a${index}*b/${index % 2 ? `*x${index}` : `c*${index}`}`)),
    hits: indexes.map((index) => `any/a${index}-b/${index % 2 ? `yx${index}` : `c-${index}`}`),
    misses: indexes.map((index) => `any/a${index}-c/${index % 2 ? `yx${index}` : `c-${index}`}`),
  };
}
