import { deleteSecret, putSecret } from '@keyferry/access';
import { deletedAnswer, secretWrite, writeHeaders, writtenAnswer } from '@keyferry/contracts';
import { SecretValue } from '@keyferry/core';
import { z } from 'zod';
import type { Api, ApiOptions } from '../create-api.ts';
import { valueBodyLimit } from '../limits.ts';
import { responses } from '../responses.ts';
import { vaultRefusals } from '../vault-refusals.ts';
import { pathOf } from './key-path.ts';

const tags = ['secrets'];
const byPath = z.object({ '*': z.string().describe('The local path, percent-encoded.') });
const refusals = [
  'path_unmapped',
  'path_contested',
  'path_taken',
  'tenant_limit_reached',
  'proxied_read_only',
  'writes_disabled',
  'precondition_failed',
  'write_conflict',
  'request_in_progress',
  'idempotency_mismatch',
  ...vaultRefusals,
  'container_changed',
] as const;

/** Writes and deletes secrets, here or in their vault. No answer has a value. */
export function secretWriteRoutes(app: Api, options: ApiOptions): void {
  /** This process answers nothing that it keeps of the path. Also after a failure: the vault may have another value by now. */
  async function forgetting<Result>(tenantId: string, path: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } finally {
      options.secrets.forget(tenantId, [path]);
    }
  }

  app.put(
    '/secrets/*',
    {
      config: { needs: { onPath: 'write' } },
      bodyLimit: valueBodyLimit,
      schema: {
        tags,
        summary: 'Write a secret: here alone, or to its vault first, as the backend’s writes say',
        params: byPath,
        headers: writeHeaders,
        body: secretWrite,
        response: responses(
          { 200: writtenAnswer, 201: writtenAnswer },
          ...refusals,
          'key_revoked',
          'value_too_large',
          'value_not_writable',
          'value_type',
          'value_pattern',
          'value_too_short',
          'value_too_long',
          'value_schema',
          'value_field_missing',
          'value_not_json',
        ),
      },
    },
    async (request, reply) => {
      const { identity, params, headers, body } = request;
      const { tenantId, actor: by } = identity;
      const path = pathOf(params);
      const value = new SecretValue(Buffer.from(body.value, body.encoding));
      const put = { tenantId, path, value, by, blind: !request.may('read', path), ...conditionsOf(headers) };
      const written = await forgetting(tenantId, path, () => putSecret(options, put));
      return reply
        .code(written.created ? 201 : 200)
        .header('etag', written.etag)
        .send({
          path: written.path,
          version: written.version,
          remote_version: written.remoteVersion,
          created: written.created,
          written_to: written.writtenTo,
          owned: written.owned,
        });
    },
  );

  app.delete(
    '/secrets/*',
    {
      config: { needs: { onPath: 'delete' } },
      schema: {
        tags,
        summary: 'Delete a secret; it goes from its vault where Keyferry had made it there',
        params: byPath,
        headers: writeHeaders,
        response: responses(
          { 200: deletedAnswer },
          ...refusals,
          'key_not_found',
          'key_not_served',
          'credentials_in_use',
        ),
      },
    },
    async (request) => {
      const { identity, params, headers } = request;
      const { tenantId, actor: by } = identity;
      const path = pathOf(params);
      const blind = !request.may('read', path) && !request.may('list', path);
      const deletion = { tenantId, path, by, blind, ...conditionsOf(headers) };
      const deleted = await forgetting(tenantId, path, () => deleteSecret(options, deletion));
      return { path: deleted.path, removed_from: deleted.removedFrom };
    },
  );
}

const conditionsOf = (headers: z.output<typeof writeHeaders>) => ({
  ifMatch: headers['if-match'] ?? null,
  ifNoneMatch: headers['if-none-match'] ?? null,
  idempotencyKey: headers['idempotency-key'] ?? null,
});
