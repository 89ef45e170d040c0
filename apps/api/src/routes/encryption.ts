import { Readable } from 'node:stream';
import { encryptionAnswer, encryptionRequest, rewrapLine, rotatedAnswer, tenantHeader } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import {
  countTenantsToRewrap,
  dataKeyStatuses,
  masterKeyStatuses,
  type RewrapProgress,
  type RewrapSummary,
  rewrap,
  rotateDataKey,
} from '@keyferry/store';
import { shownTime } from '../answers/key.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { answerTo, errorBody } from '../error-handler.ts';
import { actorIn } from '../named-tenant.ts';
import { responses } from '../responses.ts';

const tags = ['encryption'];
const contentType = 'application/x-ndjson';
const operator = { needs: { scope: 'operator' } } as const;

/** Data keys and master keys: how they stand, and what changes them. An operator's business, since it is work for all. */
export function encryptionRoutes(app: Api, options: ApiOptions): void {
  const { store, keyring, now } = options;
  const rewraps = new Set<AbortController>();
  app.addHook('preClose', async () => {
    for (const controller of rewraps)
      controller.abort(new KeyferryError('api_unavailable', 'This Keyferry is being stopped.'));
  });

  app.get(
    '/encryption',
    {
      config: operator,
      schema: {
        tags,
        summary: 'Tell which master keys wrap how many data keys, and how a tenant’s data keys stand',
        response: responses({ 200: encryptionAnswer }),
      },
    },
    async ({ identity: { tenantId } }) => {
      const masterKeys = await masterKeyStatuses(store, keyring);
      const dataKeys = await dataKeyStatuses(store, tenantId);
      return {
        master_keys: masterKeys.map((key) => ({ ...key, created_at: key.created_at.toISOString() })),
        tenants_to_rewrap: await countTenantsToRewrap(store, keyring),
        tenant_id: tenantId,
        data_keys: dataKeys.map((key) => ({
          ...key,
          current_from: key.current_from.toISOString(),
          retired_at: shownTime(key.retired_at),
        })),
      };
    },
  );

  app.post(
    '/encryption/rotate',
    {
      config: operator,
      schema: {
        tags,
        summary: 'Give a tenant a new data key',
        body: encryptionRequest,
        response: responses({ 200: rotatedAnswer }, 'data_keys_destroyed', 'key_provider_unavailable'),
      },
    },
    async ({ identity: { tenantId, actor } }) => {
      // A tenant that has none yet gets its first ones.
      await keyring.ofTenant(tenantId);
      const rotated = await rotateDataKey(store, keyring.masterKeys, tenantId, { actor, now: now() });
      await keyring.refresh(tenantId);
      return { ...rotated, tenant_id: tenantId, current_from: rotated.current_from.toISOString() };
    },
  );

  app.post(
    '/encryption/rewrap',
    {
      config: operator,
      schema: {
        tags,
        summary: 'Wrap data keys by the current master key, and seal anew what retired data keys have sealed',
        body: encryptionRequest,
        response: responses(
          {
            200: {
              description: 'One JSON object a line: progress, then the summary, or the error that ended the rewrap.',
              content: { [contentType]: { schema: rewrapLine } },
            },
          },
          'data_keys_destroyed',
          'master_key_missing',
          'key_provider_unavailable',
          'api_unavailable',
        ),
      },
    },
    async (request, reply) => {
      const { identity, headers } = request;
      // Without a tenant's name it is for all of them.
      const one = headers[tenantHeader] !== undefined && { tenantId: identity.tenantId };
      const controller = new AbortController();
      rewraps.add(controller);
      const leave = () => {
        rewraps.delete(controller);
        controller.abort(new KeyferryError('request_invalid', 'Whoever asked for the rewrap has gone away.'));
      };
      reply.raw.once('close', leave);
      const { signal } = controller;
      const run = rewrap({ store, keyring, now, signal, actorIn: (of) => actorIn(identity, of), ...one });
      try {
        // What fails before there is a first line is answered as by any other route.
        const first = await run.next();
        const told = (error: unknown) => {
          const reason = signal.aborted ? signal.reason : error;
          return errorBody(answerTo(reason, options.log, request).error, request.id);
        };
        reply.header('connection', 'close').type(contentType);
        return reply.send(Readable.from(linesOf(first, run, told, leave)) as never);
      } catch (error) {
        leave();
        throw error;
      }
    },
  );
}

/** Each is made when the client has taken those before it. */
async function* linesOf(
  first: IteratorResult<RewrapProgress, RewrapSummary>,
  run: AsyncGenerator<RewrapProgress, RewrapSummary>,
  told: (error: unknown) => object,
  end: () => void,
): AsyncGenerator<string> {
  try {
    let result = first;
    for (; !result.done; result = await run.next()) yield line(result.value);
    yield line({ summary: result.value });
  } catch (error) {
    yield line(told(error));
  } finally {
    end();
  }
}

const line = (value: object) => `${JSON.stringify(value)}\n`;
