import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Attacked, startAttacked, token } from './support/attacked.ts';

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({ KEYFERRY_LIMIT_REFUSED: '0', KEYFERRY_LIMIT_ADDRESS: '0' });
});
afterAll(() => attacked[Symbol.asyncDispose]());

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
afterAll(() => agent.destroy());

/** Microseconds until it was known that this token is nobody's. */
function refusedAfter(guess: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const begun = process.hrtime.bigint();
    request(`${attacked.url}/v1/keys`, { agent, headers: { authorization: `Bearer ${guess}` } }, (answer) => {
      const took = Number(process.hrtime.bigint() - begun) / 1_000;
      answer.resume().on('end', () => (answer.statusCode === 401 ? resolve(took) : reject(new Error('let in'))));
    })
      .on('error', reject)
      .end();
  });
}

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

test('how much of a token is right can’t be told by the time that its refusal takes', { timeout: 60_000 }, async () => {
  const wrong = (text: string) => text.replace(/./g, (letter) => (letter === 'z' ? 'y' : 'z'));
  const guesses = {
    none: wrong(token),
    first: token[0] + wrong(token.slice(1)),
    half: token.slice(0, token.length / 2) + wrong(token.slice(token.length / 2)),
    allButOne: token.slice(0, -1) + wrong(token.slice(-1)),
    shorter: token.slice(0, -1),
    longer: `${token}a`,
  };
  const times = new Map(Object.keys(guesses).map((name) => [name, [] as number[]]));
  // Interleaved, so that whatever else the machine does falls on all alike; the first rounds warm up.
  for (let round = 0; round < 330; round++)
    for (const [name, guess] of Object.entries(guesses)) {
      const took = await refusedAfter(guess);
      if (round >= 30) times.get(name)?.push(took);
    }
  const usual = median(times.get('none') ?? []);
  // A comparison byte by byte is far below that too: this finds a look-up or a derivation that only some come to.
  for (const [name, took] of times) {
    expect(median(took) / usual, name).toBeLessThan(2);
    expect(median(took) / usual, name).toBeGreaterThan(1 / 2);
  }
});

test('tokens are compared as digests, of which all are of one length, and in constant time', async () => {
  const file = new URL('../../../packages/identity/src/environment-tokens.ts', import.meta.url);
  const source = await readFile(file, 'utf8');
  expect(source).toContain('timingSafeEqual(given, expected)');
  expect(source).toMatch(/const given = digest\(credential\)/);
  expect(source).not.toMatch(/credential\s*[!=]==?|[!=]==?\s*credential/);
});
