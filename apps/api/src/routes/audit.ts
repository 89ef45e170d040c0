import { Readable } from 'node:stream';
import {
  auditEntry,
  auditFilterQuery,
  auditPage,
  auditQuery,
  retentionAnswer,
  retentionSettings,
  verifyLine,
  verifyRequest,
} from '@keyferry/contracts';
import { formatDuration, parseDuration } from '@keyferry/core';
import { type AuditFilter, audit, auditRetention, listAudit, setAuditRetention, verifyAudit } from '@keyferry/store';
import { z } from 'zod';
import { showAuditRow, showVerified } from '../answers/audit.ts';
import { exportAudit } from '../audit-export.ts';
import type { Api, RouteOptions } from '../create-api.ts';
import { decodeCursor, pageOf } from '../cursor.ts';
import { answerTo, errorBody } from '../error-handler.ts';
import { anchorsBodyLimit } from '../limits.ts';
import { responses } from '../responses.ts';

const tags = ['audit'];
const place = z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]);
const lines = 'application/x-ndjson';
/** What is told of whoever looks into the log. */
const target = 'audit log';

/** Who did what, and who read what. */
export function auditRoutes(app: Api, options: RouteOptions): void {
  const { store, told, now } = options;

  app.get(
    '/audit',
    {
      config: { needs: { scope: 'audit:read' } },
      schema: {
        tags,
        summary: 'List what was done and read, newest first',
        querystring: auditQuery,
        response: responses({ 200: auditPage }, 'audit_unavailable'),
      },
    },
    async (request) => {
      const { limit, cursor, ...query } = request.query;
      const [batch, at] = cursor === undefined ? [] : decodeCursor(cursor, place);
      const page = {
        limit: limit + 1,
        ...(batch !== undefined && at !== undefined && { before: { batch, place: at } }),
      };
      const list = () => store.inTenant(request.identity.tenantId, (tx) => listAudit(tx, filterOf(query), page));
      const rows = await told.read(request, { action: 'audit.listed', target }, list);
      return pageOf(rows, limit, showAuditRow, (row) => [row.batch, row.place]);
    },
  );

  app.get(
    '/audit/export',
    {
      config: { needs: { scope: 'audit:read' } },
      // Nobody would read what it answers.
      exposeHeadRoute: false,
      schema: {
        tags,
        summary: 'Export what was done and read until now, oldest first',
        querystring: auditFilterQuery,
        response: responses(
          { 200: { description: 'One JSON object a line.', content: { [lines]: { schema: auditEntry } } } },
          'audit_unavailable',
        ),
      },
    },
    async (request, reply) => {
      const { query, identity } = request;
      const filter = filterOf({ ...query, until: query.until ?? now().toISOString() });
      const rows = await told.read(request, { action: 'audit.exported', target }, async () =>
        exportAudit(store, identity.tenantId, filter),
      );
      reply.header('connection', 'close').type(lines);
      return reply.send(Readable.from(rows) as never);
    },
  );

  app.post(
    '/audit/verify',
    {
      config: { needs: { scope: 'audit:read' } },
      bodyLimit: anchorsBodyLimit,
      schema: {
        tags,
        summary: 'Compute the chain of hashes anew, and tell the first place that is not as it was sealed',
        body: verifyRequest,
        response: responses(
          {
            200: {
              description: 'One JSON object a line: how far it is, and at last what came of it, or the error.',
              content: { [lines]: { schema: verifyLine } },
            },
          },
          'audit_unavailable',
        ),
      },
    },
    async (request, reply) => {
      const { identity, body } = request;
      const verification = await told.read(request, { action: 'audit.verified', target }, async () =>
        verifyAudit(store, identity.tenantId, body?.anchors ?? []),
      );
      const failed = (error: unknown) => errorBody(answerTo(error, options.log, request).error, request.id);
      reply.header('connection', 'close').type(lines);
      return reply.send(Readable.from(verificationLines(verification, failed)) as never);
    },
  );

  app.get(
    '/audit/retention',
    {
      config: { needs: { scope: 'audit:read' } },
      schema: { tags, summary: 'Tell how long rows are kept', response: responses({ 200: retentionAnswer }) },
    },
    async ({ identity }) => ({
      retention: formatDuration(await store.inTenant(identity.tenantId, auditRetention)),
    }),
  );

  app.patch(
    '/audit/retention',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Set how long rows are kept',
        body: retentionSettings,
        response: responses({ 200: retentionAnswer }, 'config_invalid'),
      },
    },
    async ({ identity, body }) => {
      const { tenantId, actor } = identity;
      const seconds = parseDuration(body.retention);
      await store.inTenant(tenantId, async (tx) => {
        const details = { from: formatDuration(await auditRetention(tx)), to: formatDuration(seconds) };
        await setAuditRetention(tx, tenantId, seconds);
        await audit(tx, tenantId, { actor, action: 'audit.retention_changed', target, details }, now());
      });
      return { retention: formatDuration(seconds) };
    },
  );
}

async function* verificationLines(
  verification: ReturnType<typeof verifyAudit>,
  failed: (error: unknown) => object,
): AsyncGenerator<string> {
  const begun = performance.now();
  try {
    let result = await verification.next();
    for (; !result.done; result = await verification.next()) yield line({ rows: result.value });
    yield line({ verified: showVerified(result.value, performance.now() - begun) });
  } catch (error) {
    yield line(failed(error));
  }
}

const line = (value: object) => `${JSON.stringify(value)}\n`;

function filterOf(query: z.output<typeof auditFilterQuery>): AuditFilter {
  const { actor, action, path, prefix, outcome, request_id: requestId, since, until } = query;
  return {
    ...(actor !== undefined && { actor }),
    ...(action !== undefined && { action }),
    ...(path !== undefined && { target: path.normalize('NFC') }),
    ...(prefix !== undefined && { prefix: prefix.normalize('NFC') }),
    ...(outcome !== undefined && { outcome }),
    ...(requestId !== undefined && { requestId }),
    ...(since !== undefined && { since: new Date(since) }),
    ...(until !== undefined && { until: new Date(until) }),
  };
}
