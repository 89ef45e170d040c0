/**
 * What the source yields, with the next of it under way while the consumer works on the last: pages that are listed one
 * after another need not wait for what is done with them. A failure is told after all that came before it.
 */
export async function* readAhead<Item>(source: AsyncIterable<Item>): AsyncGenerator<Item, void, void> {
  const items = source[Symbol.asyncIterator]();
  const begin = () => {
    const next = items.next();
    // Whoever comes for it is told; the consumer may have stopped by then.
    next.catch(() => {});
    return next;
  };
  let next = begin();
  try {
    for (;;) {
      const result = await next;
      if (result.done) return;
      next = begin();
      yield result.value;
    }
  } finally {
    await items.return?.();
  }
}
