import type { ErrorCode } from './errors.ts';

/** How often and when a message is sent again. Times are milliseconds. */

/** How long a receiver may take. */
export const deliveryDeadlineMs = 10_000;
/** Messages that could not be delivered for so long are given up. They are kept, and can be replayed. */
export const giveUpAfterMs = 3 * 24 * 3_600_000;

const firstDelayMs = 5_000;
const longestDelayMs = 3_600_000;
/** A receiver that answers, and refuses the same message so often, won't take it by itself. */
const mostRefusals = 5;

export interface DeliveryFailure {
  code: ErrorCode;
  /** Without a value, an address's path, or the receiver's words. */
  message: string;
  /** As the receiver asked for. */
  retryAfterMs?: number | undefined;
  /** It said that it doesn't exist any more. */
  gone?: boolean;
}

/**
 * The wait of a channel after its last failures in a row: it doubles from 5 s to an hour, less up to half of it by
 * `random` (0 to 1), so that channels don't come in a crowd. What the receiver asks for is kept, up to an hour.
 */
export function deliveryDelay(failures: number, random: number, retryAfterMs = 0): number {
  const full = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures - 1, 30));
  return Math.min(longestDelayMs, Math.max(full * (1 - random / 2), retryAfterMs));
}

/** What becomes of a message after this failed attempt to deliver it, with all of its refusals so far, this one too. */
export function afterFailure(
  failure: DeliveryFailure,
  notice: { refusals: number; giveUpAt: Date },
  now: Date,
): 'retry' | 'give_up' {
  // The channel is paused, and a person gives it another address.
  if (failure.gone) return 'retry';
  return notice.refusals >= mostRefusals || notice.giveUpAt <= now ? 'give_up' : 'retry';
}

/** Whether the message was refused, or Keyferry refuses to send it there; anything else may pass by itself. */
export const isRefusal = ({ code }: DeliveryFailure): boolean =>
  code === 'delivery_refused' || code === 'egress_refused';
