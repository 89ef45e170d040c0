import { KeyferryError } from '@keyferry/core';
import { type AuditWriter, defaultTenantId, type RequestEntry } from '@keyferry/store';
import { type Log, throttled } from '@keyferry/telemetry';
import type { FastifyRequest } from 'fastify';
import { countRefusals } from './count-refusals.ts';
import { statusOf } from './error-status.ts';
import { ForeignTenant } from './named-tenant.ts';

/** What is told of requests in the audit log, beside what their acts tell themselves. Never a value, token, header or body. */
export interface RequestAudit {
  /** Whether what is read is told. */
  readonly ofReads: boolean;
  /**
   * Does what reads, and hands its result on once the log has a row of it; whatever goes wrong has a row too. Rejects with
   * `audit_unavailable` where that can't be committed.
   */
  read<Result>(request: FastifyRequest, what: ReadTold, work: () => Promise<Result>): Promise<Result>;
  /** The same of reads that have an outcome each. */
  reads(request: FastifyRequest, told: readonly (ReadTold & { code: string | null })[]): Promise<void>;
  /** Tells that a request was refused, by whom it was made as far as that is known. What can't be told is in the process' log. */
  refused(request: FastifyRequest, error: KeyferryError): Promise<void>;
}

export interface ReadTold {
  action: string;
  target: string;
}

interface AuditOptions {
  audit: AuditWriter;
  /** Whether nothing is read that the audit log doesn't have. */
  auditReads: boolean;
  log: Log;
  now: () => Date;
}

/** The longest target that is told of a request that was refused. */
const longestTarget = 2_048;
const reportMs = 10_000;

export function auditRequests({ audit, auditReads, log, now }: AuditOptions): RequestAudit {
  const report = throttled(reportMs, Date.now, (message, suppressed) => log.warn({ suppressed }, message));
  const rowOf = (request: FastifyRequest, { action, target }: ReadTold, code: string | null): RequestEntry => ({
    at: now(),
    actor: request.identity.actor,
    action,
    target,
    outcome: outcomeOf(code),
    requestId: request.id,
    address: request.ip,
    ...(code !== null && { details: { code } }),
  });
  const write = (request: FastifyRequest, rows: readonly RequestEntry[]) =>
    audit.write(request.identity.tenantId, rows);
  const tell = async (tenantId: string, row: RequestEntry) =>
    audit.write(tenantId, [row]).catch(() => report('a refused request could not be written into the audit log'));
  const counted = countRefusals((tenantId, row) => void tell(tenantId, row));

  return {
    ofReads: auditReads,
    async read(request, what, work) {
      if (!auditReads) return await work();
      let result: Awaited<ReturnType<typeof work>>;
      try {
        result = await work();
      } catch (error) {
        // Of a database that is away nothing was read, and it takes no row.
        if (codeOf(error) !== 'database_unavailable') await write(request, [rowOf(request, what, codeOf(error))]);
        throw error;
      }
      await write(request, [rowOf(request, what, null)]);
      return result;
    },
    async reads(request, told) {
      if (auditReads)
        await write(
          request,
          told.map((one) => rowOf(request, one, one.code)),
        );
    },
    async refused(request, { code }) {
      const { identity, routeOptions } = request;
      const tenantId = identity?.tenantId ?? defaultTenantId;
      const row: RequestEntry = {
        at: now(),
        actor: identity?.actor ?? 'unknown',
        action: 'request.refused',
        target: targetOf(request),
        outcome: 'refused',
        requestId: request.id,
        address: request.ip,
        details: { code, method: request.method, route: routeOptions.url ?? null },
      };
      if (counted(tenantId, row)) await tell(tenantId, row);
    },
  };
}

const codeOf = (error: unknown) => (error instanceof KeyferryError ? error.code : 'internal');

function outcomeOf(code: string | null): RequestEntry['outcome'] {
  if (code === null) return 'read';
  return code === 'forbidden' ? 'refused' : 'failed';
}

/** Whether an answer is told as a refusal. */
export const isRefusal = (error: KeyferryError): boolean =>
  [401, 403].includes(statusOf(error.code)) || error.code === 'rate_limited' || error instanceof ForeignTenant;

/** The local path where the route has one in its address, else what the address names; never what follows it. */
function targetOf({ params, routeOptions, url }: FastifyRequest): string {
  const path = (params as { '*'?: string } | undefined)?.['*'];
  const target = routeOptions.url?.endsWith('/*') && path ? path.normalize('NFC') : (url.split('?', 1)[0] ?? '');
  return target.slice(0, longestTarget).toWellFormed().replaceAll('\0', '\u{fffd}');
}
