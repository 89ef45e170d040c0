import { expect, vi } from 'vitest';
import type { Emulated, RequestKind } from './target.ts';

/** Counts requests of a kind from now on. */
export function countRequests(emulated: Emulated, kind: RequestKind): { readonly count: number } {
  const { when, ...matched } = emulated.match(kind);
  const counted = { count: 0 };
  emulated.faults.inject({
    effect: { kind: 'reset' },
    ...matched,
    // Never strikes: it looks on alone.
    when: (request) => {
      if (when === undefined || when(request)) counted.count += 1;
      return false;
    },
  });
  return counted;
}

/** Lets so many requests pass, and never answers those that follow. Tells when the first of them is there. */
export function hangAfter({ faults }: Emulated, passing: number): { struck: Promise<void>; remove(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen = 0;
  const fault = faults.inject({
    effect: { kind: 'hang' },
    when: () => {
      seen += 1;
      if (seen > passing) resolve();
      return seen > passing;
    },
  });
  return { struck: promise, remove: () => fault.remove() };
}

/** Answers half of everything from now on. Tells when the first such half is on its way. */
export function hangWithinBody({ faults, requests }: Emulated): { struck(): Promise<void>; remove(): void } {
  const before = requests.total;
  const fault = faults.inject({ effect: { kind: 'hang_in_body' } });
  return {
    struck: () => vi.waitFor(() => expect(requests.total).toBeGreaterThan(before), { interval: 1 }),
    remove: () => fault.remove(),
  };
}

/** Whether the last answer was one without a body, of which nothing can be cut off. */
export function lastSaidNothing({ requests }: Emulated): boolean {
  return requests.all.at(-1)?.status === 204;
}
