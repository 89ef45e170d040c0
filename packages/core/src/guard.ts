/** The guard against mass loss. It looks at candidates before any of them is confirmed, so that it costs no call. */

export interface LossEstimate {
  /** Keys that would go in this cycle, without those a person has approved. */
  candidates: number;
  /** Keys that went in the last 24 hours without a person's word, so that small bites add up. */
  goneLately: number;
  /** The backend's live keys together with those that went in the last 24 hours. */
  keys: number;
}

const bigShare = 0.2;
const bigNumber = 10;
const halfShare = 0.5;
const halfNumber = 2;

/** Whether so many keys would go that a person has to say so: over 20% and at least 10, or over half and at least 2. */
export function isMassLoss({ candidates, goneLately, keys }: LossEstimate): boolean {
  if (candidates === 0) return false;
  const loss = candidates + goneLately;
  const exceeds = (share: number, number: number) => loss > keys * share && loss >= number;
  return exceeds(bigShare, bigNumber) || exceeds(halfShare, halfNumber);
}
