import type { Readable } from 'node:stream';

/** An answer was not read to its end, since it is larger than what it answers can be; the message says than what. */
export class AnswerTooLarge extends Error {
  constructor(most: number) {
    super(`larger than ${most / 1024 ** 2} MiB`);
  }
}

/** The bytes of an answer. Rejects as soon as there are more than `most`, and with it ends the connection. */
export function boundedBody(body: Readable, most: number): Promise<Buffer> {
  // By events, since iterating costs as much as all the rest of a small answer.
  return new Promise((resolve, reject) => {
    const cutOff = () => reject(new Error('The answer was cut off.'));
    // It tells of its end once, and maybe has.
    if (body.destroyed) return cutOff();
    const chunks: Buffer[] = [];
    let length = 0;
    body.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > most) body.destroy(new AnswerTooLarge(most));
      else chunks.push(chunk);
    });
    body.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length)));
    body.on('error', reject);
    body.on('close', () => {
      // An error costs as much as the answer: it is made only where nothing has come to its end.
      if (!body.readableEnded) cutOff();
    });
  });
}
