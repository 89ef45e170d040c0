import { z } from 'zod';

/** The part of an address that names something. */

export const byId = z.object({ id: z.uuid('must be an id') });

export const byIdOrName = z.object({ id: z.string().min(1).describe('Id or name.') });
