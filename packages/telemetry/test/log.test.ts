import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const source = fileURLToPath(new URL('../src/index.ts', import.meta.url));

/** What a process that logs prints: the log writes to standard output, so that it takes a process of its own. */
function printed(code: string, level = 'debug'): { text: string; lines: Record<string, unknown>[] } {
  const program = `import { createLog } from ${JSON.stringify(source)};
    const log = createLog({ name: 'test', level: '${level}' });
    ${code}`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  expect([stderr, status]).toEqual(['', 0]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { text: stdout, lines: lines.map((line) => JSON.parse(line)) };
}

test('a line is JSON with a level by name, a time, and what it was given', () => {
  const { lines } = printed(`log.child({ cycle_id: 'c' }).warn({ stage: 'sync', number: 7 }, 'said');`);
  expect(lines).toEqual([
    expect.objectContaining({ level: 'warn', name: 'test', cycle_id: 'c', stage: 'sync', number: 7, msg: 'said' }),
  ]);
  expect(lines[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT/);
});

test('what is below the level is not printed', () => {
  const { lines } = printed(`log.debug({}, 'a'); log.info({}, 'b'); log.error({}, 'c');`, 'info');
  expect(lines.map((line) => line.msg)).toEqual(['b', 'c']);
});

test.each(['value', 'token', 'auth', 'password', 'secret', 'authorization', 'credentials', 'plaintext'])(
  'the field %s is redacted, at the top and inside of another',
  (field) => {
    const { text, lines } = printed(`log.info({ ${field}: 'canary', of: { ${field}: { deep: 'canary' } } }, 'm');`);
    expect(text).not.toContain('canary');
    expect(lines[0]).toMatchObject({ [field]: '[redacted]', of: { [field]: '[redacted]' } });
  },
);

test('an error without a code of ours shows its name and where it was thrown, but not its words', () => {
  const { text, lines } = printed(`
    class DriverError extends Error { name = 'DriverError'; code = '22P02'; detail = 'canary'; }
    log.error({ error: new DriverError('invalid input: "canary"') }, 'failed');
    log.error({ err: new Error('canary', { cause: new Error('canary') }) }, 'failed');
    log.error({ error: 'canary' }, 'failed');`);
  expect(text).not.toContain('canary');
  expect(lines[0]?.error).toMatchObject({
    name: 'DriverError',
    code: '22P02',
    at: expect.arrayContaining([expect.stringMatching(/^at .*:\d+:\d+$/)]),
  });
  expect(lines[1]?.err).toMatchObject({ name: 'Error' });
  expect(lines[2]?.error).toEqual({ name: 'string' });
});

test('an error’s message of several lines leaves none of them in the stack', () => {
  const { text } = printed(
    `log.error({ error: new Error('first\\n    at canary (a:1:2)\\ncanary: last') }, 'failed');`,
  );
  expect(text).not.toContain('canary');
});

test('an error of the catalogue shows its code and its message, which is made to be shown', () => {
  const { lines } = printed(`
    const error = Object.assign(new Error('The vault is sealed.'), { name: 'KeyferryError', code: 'vault_sealed' });
    log.error({ error }, 'failed');`);
  expect(lines[0]?.error).toEqual({ name: 'KeyferryError', code: 'vault_sealed', message: 'The vault is sealed.' });
});
