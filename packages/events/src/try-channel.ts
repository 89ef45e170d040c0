import { randomUUID } from 'node:crypto';
import type { OpenChannel } from '@keyferry/contracts';
import { deliveryDeadlineMs } from '@keyferry/core';
import type { EgressClient } from '@keyferry/egress';
import { send } from './channels/send.ts';
import { testMessage } from './message.ts';

/** Sends a test message now, and once. Rejects with `delivery_*` or `egress_refused`. */
export async function tryChannel(
  channel: OpenChannel,
  { egress, now }: { egress: EgressClient; now: () => Date },
): Promise<{ warning: string | null; durationMs: number }> {
  const began = performance.now();
  const context = { egress, now, signal: AbortSignal.timeout(deliveryDeadlineMs) };
  const warning = await send(channel, testMessage(randomUUID(), channel.name, now()), context);
  return { warning, durationMs: Math.round(performance.now() - began) };
}
