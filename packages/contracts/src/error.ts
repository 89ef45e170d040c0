import { type ErrorCode, errorCatalogue } from '@keyferry/core';
import { z } from 'zod';

const codes = Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]];

/** The body of every answer that is not a success. */
export const errorAnswer = z
  .object({
    error: z.object({
      code: z.enum(codes).describe('docs/errors.md lists them.'),
      message: z.string().describe('What happened, in one sentence.'),
      action: z.string().describe('What to do about it.'),
      details: z.record(z.string(), z.unknown()).optional(),
      request_id: z.string(),
    }),
  })
  .meta({ id: 'Error' });
export type ErrorAnswer = z.output<typeof errorAnswer>;
