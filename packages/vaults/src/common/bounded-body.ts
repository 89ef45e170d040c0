/** An answer was not read to its end, since it is larger than what it answers can be; the message says than what. */
export class AnswerTooLarge extends Error {}

/** The bytes of an answer. Rejects as soon as there are more than `most`, and with it ends the connection. */
export async function boundedBody(body: AsyncIterable<Buffer>, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > most) throw new AnswerTooLarge(`larger than ${most / 1024 ** 2} MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}
