import { refusalOf } from '@keyferry/contracts';
import type { ErrorCode } from '@keyferry/core';
import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';

/** Checks the parts of a request by their schemas. `bodyCode` is for what a body has wrong, where nothing says it closer. */
export const validatorWith =
  (bodyCode: ErrorCode): FastifySchemaCompiler<z.ZodType> =>
  ({ schema, httpPart }) =>
  (data) => {
    const parsed = schema.safeParse(data);
    if (parsed.success) return { value: parsed.data };
    return { error: refusalOf(parsed.error.issues, httpPart === 'body' ? bodyCode : 'request_invalid') };
  };
