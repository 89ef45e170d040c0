/**
 * Does `work` for each item, one after the other, and goes on where it throws, so that one item's trouble keeps no other
 * waiting. Throws the first error in the end.
 */
export async function forEachDespiteErrors<Item>(
  items: Iterable<Item>,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const errors: unknown[] = [];
  for (const item of items) {
    try {
      await work(item);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
