/**
 * An emulator in a process of its own. Settings come as `--name value` or EMULATOR_NAME, such as `--latency-ms 15` or
 * EMULATOR_LATENCY_MS: kind, port, host, latency-ms, seed (a number of secrets), demo (true), state-file, and those that
 * the kind's program names. Prints `{"url":...,"control_token":...,"credentials":{...}}` when it is ready. Ends on
 * SIGTERM, and when its standard input, if a pipe, closes; without a pipe also on SIGINT.
 */
import { fstatSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { controlEndpoint } from './control-endpoint.ts';
import { programOf } from './program.ts';
import { readState, saveState } from './state-file.ts';

/** How soon after a change the state file follows it. */
const saveIntervalMs = 500;

const { values } = parseArgs({ strict: false });

function setting(name: string): string | undefined {
  const given = values[name] ?? process.env[`EMULATOR_${name.toUpperCase().replaceAll('-', '_')}`];
  return typeof given === 'string' && given !== '' ? given : undefined;
}

function numberSetting(name: string): number {
  const value = Number(setting(name) ?? 0);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} must be a number`);
  return value;
}

const program = await programOf(setting('kind') ?? '');
const common = ['kind', 'port', 'host', 'latency-ms', 'seed', 'demo', 'state-file'];
const unknown = Object.keys(values).find((name) => !common.includes(name) && !program.settings.includes(name));
if (unknown !== undefined) throw new Error(`unknown setting --${unknown}`);
const stateFile = setting('state-file');
const { server, credentials, controlToken, control, snapshot } = await program.start({
  port: numberSetting('port'),
  host: setting('host') ?? '127.0.0.1',
  latencyMs: numberSetting('latency-ms'),
  seed: numberSetting('seed'),
  demo: setting('demo') === 'true',
  snapshot: stateFile === undefined ? null : readState(stateFile),
  setting,
});
const changed = () => {
  server.writes.count += 1;
};
server.intercept.current = controlEndpoint(control, controlToken, changed);

let saved = -1;
function save(): void {
  if (stateFile === undefined || saved === server.writes.count) return;
  saveState(snapshot(), stateFile);
  saved = server.writes.count;
}
save();
setInterval(save, saveIntervalMs).unref();

let ending = false;
async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  await server.close();
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

process.stdout.write(`${JSON.stringify({ url: server.url, control_token: controlToken, credentials })}\n`);
