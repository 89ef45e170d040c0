import { z } from 'zod';

const mostItems = 500;
const usualItems = 100;

export const limit = z.coerce
  .number('must be a whole number')
  .int('must be a whole number')
  .min(1)
  .max(mostItems)
  .default(usualItems)
  .describe(`Most items in one answer, up to ${mostItems}.`);

/** Query members of every list that goes on over several answers. */
export const pageQuery = {
  limit,
  cursor: z.string().max(4096).optional().describe('The next_cursor of the answer before.'),
};

/** One answer of a list: `next_cursor` is null where it ends. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().describe('Give it as cursor to go on; null at the end.'),
  });
}

export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}
