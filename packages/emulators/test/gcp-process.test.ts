import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { controlOver, type GcpControls, type SpawnOptions, spawnEmulator } from '../src/index.ts';

async function start(options: SpawnOptions) {
  const child = await spawnEmulator('gcp', options);
  onTestFinished(() => child.stop());
  return { ...child, control: controlOver<GcpControls>(child) };
}

test('it is seeded, changed and counted from outside', async () => {
  const gcp = await start({ seed: 300, settings: { 'project-id': 'my-project' } });
  expect(gcp.credentials.project_id).toBe('my-project');
  expect(JSON.parse(gcp.credentials.credentials_json ?? '').token_uri).toBe(`${gcp.url}/token`);
  const { changed } = await gcp.control('change', { share: 0.01 });
  expect(changed).toEqual([
    'bifrost--group-0000--key-0000000',
    'bifrost--group-0000--key-0000100',
    'bifrost--group-0000--key-0000200',
  ]);
  expect(await gcp.control('ids', {})).toHaveLength(300);
  expect(await gcp.control('put', { id: changed[0] ?? '', value: 'x' })).toEqual({ version: 3 });
  expect(await gcp.control('requests', {})).toMatchObject({ total: 0 });
});

test('with a state file, secrets and the account are there again after a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'keyferry-gcp-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const options = { demo: true, stateFile: join(directory, 'state.json') };
  const first = await start(options);
  await first.control('put', { id: 'mine', value: 'x', labels: { team: 'a' } });
  await first.stop();
  const second = await start(options);
  expect(await second.control('ids', {})).toHaveLength(13);
  const key = (text = '') => JSON.parse(text).private_key;
  expect(key(second.credentials.credentials_json)).toBe(key(first.credentials.credentials_json));
  expect(await second.control('put', { id: 'mine', value: 'y' })).toEqual({ version: 2 });
});
