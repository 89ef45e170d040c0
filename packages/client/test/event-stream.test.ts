import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventData } from '../src/event-stream.ts';

async function dataOf(chunks: readonly Uint8Array[]): Promise<string[]> {
  const data: string[] = [];
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  for await (const one of eventData(body)) data.push(one);
  return data;
}

test('data of events are told from names, ids and comments', async () => {
  const text = ': hello\n\nevent: changed\nid: 4\ndata: {"a":1}\n\ndata:two\ndata: lines\nretry: 5\n\ndata: cut off';
  expect(await dataOf([Buffer.from(text)])).toEqual(['{"a":1}', 'two\nlines']);
});

test('what never ends is read no further', async () => {
  const line = Buffer.from(`data: ${'x'.repeat(1024 * 1024)}\n`);
  let read = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (++read > 40) controller.error(new Error('it was read on'));
      else controller.enqueue(line);
    },
  });
  for await (const one of eventData(endless)) expect(one).toBeUndefined();
  expect(read).toBeLessThan(40);
});

test('it does not matter where the stream is cut, nor how its lines end', async () => {
  const cuts = fc.array(fc.nat({ max: 60 }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(cuts, fc.constantFrom('\n', '\r\n', '\r'), async (cuts, end) => {
      // The comment at last ends what stands before it, also where a line's end could have a second half.
      const bytes = Buffer.from(`data: größer${end}${end}data: a${end}data: b${end}${end}:${end}`);
      const ends = [...cuts.filter((cut) => cut < bytes.length).sort((one, other) => one - other), bytes.length];
      const chunks = ends.map((to, index) => bytes.subarray(ends[index - 1] ?? 0, to));
      expect(await dataOf(chunks)).toEqual(['größer', 'a\nb']);
    }),
  );
});
