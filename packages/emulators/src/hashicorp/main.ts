/**
 * An emulator in a process of its own. Settings come as `--name value` or VAULT_EMULATOR_NAME, such as `--latency-ms 15`
 * or VAULT_EMULATOR_LATENCY_MS: port, host, flavour, latency-ms, root-token, seed (a number of secrets), demo (true), state-file.
 * Prints `{"url":...,"root_token":...}` when it is ready. Ends on SIGTERM, and when its standard input, if a pipe, closes;
 * without a pipe also on SIGINT.
 */
import { fstatSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { controlOf } from './control.ts';
import { controlEndpoint } from './control-endpoint.ts';
import { demoMount, seedDemo } from './demo.ts';
import { internalsOf, startVaultEmulator } from './emulator.ts';
import { readState, restoreState, saveState } from './state-file.ts';

/** How soon after a change the state file follows it. */
const saveIntervalMs = 500;

const names = ['port', 'host', 'flavour', 'latency-ms', 'root-token', 'seed', 'demo', 'state-file'] as const;
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])) });

function setting(name: (typeof names)[number]): string | undefined {
  const given = values[name] ?? process.env[`VAULT_EMULATOR_${name.toUpperCase().replace('-', '_')}`];
  return typeof given === 'string' && given !== '' ? given : undefined;
}

function numberSetting(name: (typeof names)[number]): number {
  const value = Number(setting(name) ?? 0);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} must be a number`);
  return value;
}

const flavour = setting('flavour') ?? 'vault';
if (flavour !== 'vault' && flavour !== 'openbao') throw new Error('--flavour must be vault or openbao');
const stateFile = setting('state-file');
const snapshot = stateFile === undefined ? null : readState(stateFile);
const rootToken = snapshot?.rootToken ?? setting('root-token');
const emulator = await startVaultEmulator({
  port: numberSetting('port'),
  host: setting('host') ?? '127.0.0.1',
  flavour,
  latencyMs: numberSetting('latency-ms'),
  ...(rootToken === undefined ? {} : { rootToken }),
});
const { state, parts } = internalsOf(emulator);
if (snapshot !== null) restoreState(state, snapshot);
const count = numberSetting('seed');
if (snapshot === null && setting('demo') === 'true') seedDemo(emulator);
if (snapshot === null && count > 0) {
  if (!state.namespace('').mounts.has(`${demoMount}/`)) emulator.mounts.enable(demoMount, { type: 'kv', version: 2 });
  controlOf(emulator)('seed', { mount: demoMount, count });
}

const control = controlOf(emulator);
const changed = () => {
  parts.writes.count += 1;
};
parts.intercept.current = controlEndpoint(control, emulator.rootToken, changed);

let saved = -1;
function save(): void {
  if (stateFile === undefined || saved === parts.writes.count) return;
  saveState(state, emulator.rootToken, stateFile);
  saved = parts.writes.count;
}
save();
setInterval(save, saveIntervalMs).unref();

let ending = false;
async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  await emulator.close();
  save();
  process.exit(0);
}
process.once('SIGTERM', end);
process.once('disconnect', end);
const stdin = fstatSync(0);
if (stdin.isFIFO() || stdin.isSocket()) {
  // A parent that is killed closes its end. Ctrl-C reaches the whole group: who started this one says when it ends.
  process.stdin.once('end', end).once('error', end).resume();
  process.on('SIGINT', () => {});
} else {
  process.once('SIGINT', end);
}

process.stdout.write(`${JSON.stringify({ url: emulator.url, root_token: emulator.rootToken })}\n`);
