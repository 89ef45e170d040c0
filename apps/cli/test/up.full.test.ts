import { afterAll, expect, test } from 'vitest';
import { temporaryHome } from './support/home.ts';
import { processesOf } from './support/processes-of.ts';

const home = temporaryHome();
afterAll(() => home.remove());

const onLinux = test.runIf(process.platform === 'linux');

onLinux('a process of `keyferry up` that dies ends all of them, and is named', async () => {
  const running = home.start('up');
  await running.printed('Events as they happen');
  const worker = processesOf(home.path).find(({ command }) => command.includes('apps/worker/'));
  process.kill(worker?.pid ?? 0, 'SIGKILL');
  const { code, stderr } = await running.ended;
  expect(stderr).toContain('error: The worker was ended by SIGKILL');
  expect(code).toBe(1);
  expect(processesOf(home.path)).toEqual([]);
});

onLinux('after `keyferry up` was killed, the next start has its data again', async () => {
  const running = home.start('up');
  await running.printed('Events as they happen');
  running.child.kill('SIGKILL');
  await running.ended;
  const { code, stdout } = await home.start('up', '--once').ended;
  expect(stdout).toContain('12 unchanged');
  expect(code).toBe(0);
  expect(processesOf(home.path)).toEqual([]);
});
