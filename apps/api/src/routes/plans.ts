import { Readable } from 'node:stream';
import { planLine } from '@keyferry/contracts';
import { type PlanChange, type PlanSummary, planSync, requestPlan } from '@keyferry/pipeline';
import type { Api, ApiOptions } from '../create-api.ts';
import { answerTo, errorBody } from '../error-handler.ts';
import { createPlanDesk } from '../plan-desk.ts';
import { responses } from '../responses.ts';
import { vaultRefusals } from '../vault-refusals.ts';
import { byIdOrName } from './parameters.ts';

const tags = ['backends'];
const contentType = 'application/x-ndjson';

/** What a cycle would do, line by line, while it is found out. */
export function planRoutes(app: Api, options: ApiOptions): void {
  const desk = createPlanDesk();
  app.addHook('preClose', async () => desk.close());

  app.post(
    '/federation/backends/:id/plan',
    {
      // It names every key that a cycle would come by.
      config: { needs: { scope: 'federation:write', and: 'federation:read' } },
      schema: {
        tags,
        summary: 'Tell what a full cycle would do now, and do nothing of it',
        params: byIdOrName,
        response: responses(
          {
            200: {
              description: 'One JSON object a line: each change, then the summary, or the error that ended the plan.',
              content: { [contentType]: { schema: planLine } },
            },
          },
          'backend_not_found',
          'plan_busy',
          'reference_refused',
          'reference_unresolved',
          ...vaultRefusals,
          'container_changed',
          'container_mismatch',
          'credentials_withdrawn',
          'listing_incomplete',
          'api_unavailable',
        ),
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = request.identity;
      const place = desk.take(reply.raw);
      let name = request.params.id;
      try {
        const backend = await requestPlan(options, { tenantId, backend: name, requestedBy: actor });
        name = backend.name;
        const plan = planSync(options, backend, place.signal);
        place.defer(() => plan[Symbol.asyncDispose]());
        // What fails before there is a first line is answered as by any other route.
        const first = await plan.next();
        const told = (error: unknown) => {
          const answer = answerTo(place.explain(error, name), options.log, request);
          return errorBody(answer.error, request.id);
        };
        // A stop would wait for a connection that is kept after its plan was cut short.
        reply.header('connection', 'close').type(contentType);
        return reply.send(Readable.from(linesOf(first, plan, told, place.leave)) as never);
      } catch (error) {
        place.leave();
        throw place.explain(error, name);
      }
    },
  );
}

/** Each is made when the client has taken those before it. */
async function* linesOf(
  first: IteratorResult<PlanChange, PlanSummary>,
  plan: AsyncGenerator<PlanChange, PlanSummary>,
  told: (error: unknown) => object,
  end: () => void,
): AsyncGenerator<string> {
  try {
    let result = first;
    for (; !result.done; result = await plan.next()) yield line(result.value);
    yield line({ summary: result.value });
  } catch (error) {
    yield line(told(error));
  } finally {
    end();
  }
}

const line = (value: object) => `${JSON.stringify(value)}\n`;
