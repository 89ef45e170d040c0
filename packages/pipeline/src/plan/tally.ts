import { emptyCounts, type KeyState, type LossEstimate, type Outcome } from '@keyferry/core';
import type { LossStanding } from '@keyferry/store';
import type { Judged } from '../stages/decide.ts';

/**
 * What a cycle would count, and what it would have changed by the time its guard looks at the keys: a plan has to reckon it,
 * where a cycle finds it written.
 */
export class Tally {
  readonly counts = emptyCounts();
  readonly #guard = { keys: 0, goneLately: 0 };
  readonly #since: Date;

  /** `since`: from when on a cycle would count what time has done. */
  constructor(since: Date) {
    this.#since = since;
  }

  count(outcome: Outcome, by = 1): void {
    this.counts[outcome] += by;
  }

  /** Notes a decision that a cycle would write; `standing` is that of its key, where there is one that changes its state. */
  note({ known, change, push }: Judged, standing: LossStanding | undefined, now: Date): void {
    if (push) this.counts.pushed++;
    if (!change) return;
    const { state } = change.settlement;
    if (known === null) {
      if (state === 'active') this.#guard.keys++;
      this.#noteTime(state, now, 1);
      return;
    }
    if (state === known.state) return;
    this.#noteTime(known.state, known.stateChangedAt, -1);
    this.#noteTime(state, now, 1);
    if (!standing) return;
    this.#noteGuard(known.state, standing, -1);
    // An active key has forgotten that it ever went.
    this.#noteGuard(state, { ...standing, goneLately: state !== 'active' && standing.goneLately }, 1);
  }

  /** What the guard would see, by what is stored now. */
  estimate(candidates: number, stored: Omit<LossEstimate, 'candidates'>): LossEstimate {
    const { keys, goneLately } = this.#guard;
    return { candidates, keys: stored.keys + keys, goneLately: stored.goneLately + goneLately };
  }

  #noteGuard(state: KeyState, { approved, goneLately }: LossStanding, by: 1 | -1): void {
    if (state !== 'active' && goneLately) this.#guard.goneLately += by;
    if ((state === 'active' || goneLately) && !approved) this.#guard.keys += by;
  }

  #noteTime(state: KeyState, changedAt: Date, by: 1 | -1): void {
    if ((state === 'archived' || state === 'expired') && changedAt > this.#since) this.counts[state] += by;
  }
}
