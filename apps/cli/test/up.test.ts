import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { keyferry } from './support/command-line.ts';
import { temporaryHome } from './support/home.ts';
import { processesOf } from './support/processes-of.ts';

const home = temporaryHome();
const { env, start } = home;
const state = (name: string) => join(home.path, name);
const leftBehind = () => (process.platform === 'linux' ? processesOf(home.path) : []);

afterAll(() => home.remove());

describe('keyferry up on embedded services', { timeout: 60_000 }, () => {
  test('the first start carries the demo’s keys, and leaves data and keys that only the owner can read', async () => {
    const { code, stdout, stderr } = await start('up', '--once').ended;
    expect(stderr).not.toContain('error');
    expect(code).toBe(0);
    expect(stdout).toMatch(/demo: completed in .*, 12 discovered: 12 added/);
    expect(stdout).toMatch(/demo\/openai\/production +active +api_key +1/);
    for (const secret of ['master.key', 'api-token', 'demo-vault.json'])
      expect(statSync(state(secret)).mode & 0o077, secret).toBe(0);
    expect(leftBehind()).toEqual([]);
  });

  test('the next start finds them unchanged, and reports as one JSON document', async () => {
    const { code, stdout, stderr } = await start('up', '--once', '--json').ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      cycle: { state: 'completed', counts: { discovered: 12, unchanged: 12 } },
      issues: { items: [] },
    });
  });

  test('it stays up, other commands find it, changes are told of, and SIGTERM leaves no process behind', async () => {
    const running = start('up');
    await running.printed('Events as they happen');
    const second = await start('up').ended;
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('already runs');
    const doctor = await keyferry(['doctor', '--json'], env);
    expect(JSON.parse(doctor.stdout)).toMatchObject({ ok: true });

    await keyferry(['demo', 'put', 'demo/openai/staging', 'sk-new'], env);
    await keyferry(['sync', 'demo', '--wait'], env);
    await running.printed('keys.rotated  demo/openai/staging');
    await keyferry(['demo', 'delete', 'demo/openai/staging'], env);
    await keyferry(['sync', 'demo', '--wait'], env);
    await running.printed('keys.deprecated  demo/openai/staging');
    await keyferry(['demo', 'restore', 'demo/openai/staging'], env);
    await keyferry(['sync', 'demo', '--wait'], env);
    await running.printed('keys.restored  demo/openai/staging');

    running.child.kill('SIGTERM');
    running.child.kill('SIGTERM');
    const { code, stderr } = await running.ended;
    expect(stderr).toContain('Stopping');
    expect(code).toBe(0);
    expect(existsSync(state('running.json'))).toBe(false);
    expect(leftBehind()).toEqual([]);
    for (const name of ['api', 'scheduler', 'worker'])
      expect(readFileSync(state(`logs/${name}.log`), 'utf8'), name).toContain('"msg":"stopping"');
    expect((await keyferry(['backend', 'list'], env)).code).toBe(3);
  });

  test('with all vaults a cycle of each is shown, and what the next run lacks is paused', async () => {
    const { code, stdout } = await start('up', '--once', '--all-vaults').ended;
    expect(code).toBe(0);
    for (const name of ['demo', 'demo-aws', 'demo-gcp', 'demo-azure'])
      expect(stdout, name).toMatch(new RegExp(`^${name}: completed in`, 'm'));
    expect(stdout).toMatch(/demo-azure\/openai\/production +active/);
    const next = await start('up', '--once').ended;
    expect(next.stderr).toContain('"demo-gcp" is paused');
    expect(leftBehind()).toEqual([]);
  });
});
