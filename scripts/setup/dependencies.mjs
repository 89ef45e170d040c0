import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, SetupError, say } from './common.mjs';

const lockFile = join(root, 'package-lock.json');
/** npm writes this one at the end of every install. */
const installedLock = join(root, 'node_modules', '.package-lock.json');
const marker = join(root, 'node_modules', '.keyferry-setup');

/** The Node that the project runs on, whatever the machine has. */
const projectNode = join(root, 'node_modules', 'node', 'bin', 'node');

/** Installs what package-lock.json names, unless it is there already. */
export async function installDependencies() {
  const wanted = fingerprint();
  if (!isInstalled(wanted)) {
    say('installing dependencies (npm)');
    await npmInstall();
  }
  if (!existsSync(projectNode))
    throw new SetupError(
      'npm did not install Node 24 (node_modules/node/bin/node is missing): allow install scripts (`npm config delete ignore-scripts`), remove node_modules and start again.',
    );
  writeFileSync(marker, wanted);
}

/** Changes with the lockfile, and between machines that share a folder. */
function fingerprint() {
  return createHash('sha256')
    .update(`${process.platform} ${process.arch}\n`)
    .update(readFileSync(lockFile))
    .digest('hex');
}

/** @param {string} wanted */
function isInstalled(wanted) {
  if (!existsSync(installedLock)) return false;
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return true;
  // Somebody ran `npm install` by hand after the lockfile was last written.
  return statSync(installedLock).mtimeMs >= statSync(lockFile).mtimeMs;
}

/**
 * Installs the lockfile's versions without writing to it. Not `npm ci`: that refuses a lockfile which lacks the
 * binaries for other platforms, as one does that was written behind a registry mirror without them.
 * @returns {Promise<void>}
 */
function npmInstall() {
  // `npm start` tells which npm it is; `node scripts/setup.mjs` doesn't.
  const npm = process.env.npm_execpath;
  const [file, ...args] = npm?.endsWith('.js') ? [process.execPath, npm] : ['npm'];
  // Development dependencies hold Node itself: they are needed under NODE_ENV=production too.
  const options = [
    'install',
    '--no-save',
    '--include=dev',
    '--no-audit',
    '--no-fund',
    '--no-progress',
    '--loglevel=error',
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args, ...options], { cwd: root, stdio: ['ignore', 2, 2] });
    child.once('error', (error) => reject(new SetupError(`npm can't be run: ${error.message}.`)));
    child.once('close', (code) =>
      code === 0
        ? resolve()
        : reject(new SetupError('npm could not install the dependencies; what it printed above says why.')),
    );
  });
}
