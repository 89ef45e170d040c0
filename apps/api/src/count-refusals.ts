import { sourceNetwork } from '@keyferry/egress';
import type { RequestEntry } from '@keyferry/store';

/** So many refusals of an address, or of a network that one host may have to itself, are told one by one in a second; the others are counted, and told in one row. */
const mostASecond = 10;
const secondMs = 1_000;
/** Addresses that are counted at a time; all that come beyond them are counted as one. */
const mostAddresses = 10_000;

interface Counted {
  last: RequestEntry;
  told: number;
  untold: number;
}

/**
 * Keeps who asks in vain a thousand times a second from filling the audit log: returns whether a refusal is told by itself.
 * What isn't is handed to `tell` once its second is over, as one row with the number of requests.
 */
export function countRefusals(tell: (tenantId: string, row: RequestEntry) => void) {
  const counts = new Map<string, Counted>();
  return (tenantId: string, row: RequestEntry): boolean => {
    const own = `${tenantId} ${sourceNetwork(row.address ?? '')}`;
    const key = counts.has(own) || counts.size < mostAddresses ? own : tenantId;
    let counted = counts.get(key);
    if (!counted) {
      const begun: Counted = { last: row, told: 0, untold: 0 };
      counted = begun;
      counts.set(key, begun);
      setTimeout(() => {
        counts.delete(key);
        const { last, untold } = begun;
        if (untold > 0) tell(tenantId, { ...last, details: { ...last.details, requests: untold } });
      }, secondMs).unref();
    }
    counted.last = row;
    if (counted.told++ < mostASecond) return true;
    counted.untold++;
    return false;
  };
}
