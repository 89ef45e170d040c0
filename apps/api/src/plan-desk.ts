import type { ServerResponse } from 'node:http';
import { KeyferryError, vaultFailure } from '@keyferry/core';
import { planDeadlineMs, plansAtATime } from './limits.ts';

/** A plan's leave to be made. */
export interface PlanPlace {
  /** Aborted when the client goes away, the deadline passes, or the API stops. */
  signal: AbortSignal;
  /** What is told of a plan that ended so. */
  explain(error: unknown, backendName: string): unknown;
  /** Does this as well when the place is left. */
  defer(work: () => PromiseLike<unknown>): void;
  /** Leaves the place to others. May be called twice. */
  leave(): void;
}

/** Lets only so many plans be made at a time, and ends those whose clients have gone. */
export function createPlanDesk() {
  const running = new Set<AbortController>();
  return {
    /** Throws `plan_busy`. */
    take(response: ServerResponse): PlanPlace {
      if (running.size >= plansAtATime)
        throw new KeyferryError('plan_busy', `${plansAtATime} plans are being made already.`);
      const controller = new AbortController();
      const deadline = AbortSignal.timeout(planDeadlineMs);
      const deferred: (() => PromiseLike<unknown>)[] = [];
      running.add(controller);
      const leave = () => {
        running.delete(controller);
        controller.abort(new KeyferryError('request_invalid', 'Whoever asked for the plan has gone away.'));
        // The plan fails for the same reason as whoever waits for it, who is told.
        for (const work of deferred.splice(0)) work().then(undefined, () => {});
      };
      response.once('close', leave);
      return {
        signal: AbortSignal.any([controller.signal, deadline]),
        explain(error, backendName) {
          if (!deadline.aborted || error !== deadline.reason) return error;
          const minutes = planDeadlineMs / 60_000;
          return vaultFailure('timeout', `The plan of "${backendName}" was not made in ${minutes} minutes.`);
        },
        defer: (work) => void deferred.push(work),
        leave,
      };
    },
    /** Ends all plans, each of which says so in its last line. */
    close(): void {
      for (const controller of running)
        controller.abort(new KeyferryError('api_unavailable', 'This Keyferry is being stopped.'));
    },
  };
}
