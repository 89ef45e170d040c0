/** What a function came to, as a text: in it traces are looked for. */
export async function textOf(result: unknown): Promise<string> {
  const value = isIterator(result) ? await collected(result) : await result;
  return (
    JSON.stringify(value, (_name, member) => {
      if (member instanceof Map) return [...member.entries()];
      if (member instanceof Set) return [...member];
      return member?.type === 'Buffer' ? Buffer.from(member.data).toString('hex') : member;
    }) ?? 'nothing'
  );
}

const isIterator = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

async function collected(iterator: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const one of iterator) all.push(one);
  return all;
}
