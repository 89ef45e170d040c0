import { z } from 'zod';

export const healthAnswer = z.object({ status: z.literal('ok') });

const check = z.enum(['ok', 'unavailable']);

export const readyAnswer = z.object({ status: check, database: check, redis: check }).meta({ id: 'Ready' });
export type ReadyAnswer = z.output<typeof readyAnswer>;
