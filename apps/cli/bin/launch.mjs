// Plain JavaScript, for it runs under whatever Node the machine has.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The checkout's own Node 24, a development dependency. */
const checkoutNode = fileURLToPath(new URL('../../../node_modules/node/bin/node', import.meta.url));
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/**
 * Runs the command line on a Node that can, and ends as it ends: with its exit code, or by its signal.
 *
 * Always as a child, even if this Node would do: on Ctrl-C the terminal signals the whole group, and npm sends the
 * signal to its child once more. What stands here takes the second one, so that the command sees one.
 * @param {string[]} args
 */
export function launch(args) {
  const node = nodeToRunOn();
  if (node === undefined) {
    process.stderr.write(
      `Keyferry needs Node 22.19 or newer, and this is ${process.version}; in a checkout, \`npm install\` brings one.\n`,
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, [main, ...args], { stdio: 'inherit' });
  const terminal = hasTerminal();
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT']) {
    process.on(signal, () => {
      if (!terminal) child.kill(signal);
    });
  }
  // `keyferry run` hands on what it is given.
  for (const signal of ['SIGTERM', 'SIGUSR1', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => {
    process.stderr.write(`${node} can't be run: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.once('exit', (code, signal) => {
    if (signal === null) {
      process.exit(code ?? 1);
    }
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function nodeToRunOn() {
  if (existsSync(checkoutNode)) return checkoutNode;
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 19) ? process.execPath : undefined;
}

/** Whether a terminal controls us: then it is the one that signals our child on Ctrl-C and when it is closed. */
function hasTerminal() {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
