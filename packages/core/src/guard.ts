/** The guard against mass loss. It looks at candidates before any of them is confirmed, so that it costs no call. */

export interface LossEstimate {
  /** Keys that would go in this cycle, without those a person has approved. */
  candidates: number;
  /** Keys that went in the last 24 hours without a person's word, so that small bites add up. */
  goneLately: number;
  /** The backend's active keys together with those that went in the last 24 hours, without those a person has approved. */
  keys: number;
}

/** What a backend's settings say: over this share, and at least so many keys, a person has to say so. */
export interface LossThreshold {
  /** 1 to 50. */
  percent: number;
  atLeast: number;
}

/** Whatever the settings say, more than half is too much. */
const half = { percent: 50, atLeast: 2 } as const;

/** Whether so many keys would go that a person has to say so: over the threshold, or over half and at least 2. */
export function isMassLoss({ candidates, goneLately, keys }: LossEstimate, threshold: LossThreshold): boolean {
  if (candidates === 0) return false;
  const loss = candidates + goneLately;
  const exceeds = ({ percent, atLeast }: LossThreshold) => loss * 100 > keys * percent && loss >= atLeast;
  return exceeds(threshold) || exceeds(half);
}
