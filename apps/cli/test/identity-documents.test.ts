import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';

/** docs/identities.md, done as it is written. */

const page = readFileSync(new URL('../../../docs/identities.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => String(block).trim().split('\n'));
const cleanup = new AsyncDisposableStack();
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  ({ env } = await startServices(cleanup, { KEYFERRY_ALLOWED_EGRESS: '10.0.0.0/8' }, ['api']));
});
afterAll(() => cleanup.disposeAsync());

const wordsOf = (line: string) =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? String(plain));

test('every command of the page does what it says, in the order of the page', async () => {
  expect(blocks.length).toBeGreaterThan(4);
  for (const line of blocks.flat()) {
    const [npx, program, ...args] = wordsOf(line);
    expect([npx, program]).toEqual(['npx', 'keyferry']);
    expect(await keyferry(args, env), line).toMatchObject({ code: 0 });
  }
});
