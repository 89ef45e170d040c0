import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Says what a person has to do; shown without a stack. */
export class SetupError extends Error {}

/** @param {string} line */
export function say(line) {
  // To stderr: stdout belongs to the command that the set-up runs for.
  process.stderr.write(`set-up: ${line}\n`);
}

/**
 * Runs a program and returns all it printed, whether it succeeded or not.
 * @param {string} file
 * @param {string[]} args
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
export function run(file, args) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (/** @type {Buffer} */ chunk) => {
      output += chunk;
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', (error) => resolve({ ok: false, output: error.message }));
    child.once('close', (code) => resolve({ ok: code === 0, output: output.trim() }));
  });
}
