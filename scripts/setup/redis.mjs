import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, SetupError, say } from './common.mjs';

const home = join(root, '.keyferry', 'redis');
/** What `packages/embedded` looks for. */
const fetched = join(home, 'redis-server');

/** The same server under two names; each with the package its binary may be linked into. */
const packages = [
  ['redis-server', 'redis-tools'],
  ['valkey-server', 'valkey-tools'],
];

/** Makes sure that there is a Redis or Valkey server to start, without installing anything on the system. */
export async function provideRedis() {
  for (const candidate of [fetched, 'redis-server', 'valkey-server']) if (await isUsable(candidate)) return;
  if (!(await run('apt-get', ['--version'])).ok || !(await run('dpkg-deb', ['--version'])).ok)
    throw new SetupError(
      `Redis 6.2 or newer, or Valkey, is missing: ${process.platform === 'darwin' ? 'run `brew install redis`' : 'install redis-server or valkey-server with your package manager'}, or set REDIS_URL to a server of your own.`,
    );
  say('fetching a Redis server (apt) into .keyferry/redis');
  await fetchWithApt();
  if (!(await isUsable(fetched)))
    throw new SetupError(
      'This system’s packages have no Redis that is new enough: install Redis 6.2 or newer, or Valkey, or set REDIS_URL to a server of your own.',
    );
}

/** @param {string} file */
async function isUsable(file) {
  const { ok, output } = await run(file, ['--version']);
  const version = /v=(\d+)\.(\d+)/.exec(output);
  if (!ok || version === null) return false;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  return major > 6 || (major === 6 && minor >= 2);
}

/**
 * Lets apt resolve and verify the packages with lists and cache of our own, and unpacks them into our folder: the
 * system's stay as they are, no service is started, and no root is needed.
 */
async function fetchWithApt() {
  const partial = `${home}.partial`;
  rmSync(partial, { recursive: true, force: true });
  for (const folder of ['lists/partial', 'cache/archives/partial', 'root'])
    mkdirSync(join(partial, folder), { recursive: true });
  const options = [
    ['Dir::State::lists', join(partial, 'lists')],
    ['Dir::State::extended_states', join(partial, 'extended_states')],
    ['Dir::Cache', join(partial, 'cache')],
    ['Dir::Log', partial],
    ['Debug::NoLocking', '1'],
    // As root, apt would download as `_apt`, which may be unable to enter the checkout.
    ['APT::Sandbox::User', process.getuid?.() === 0 ? 'root' : ''],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);

  // A third party's repository that doesn't answer is no reason to stop: the download tells whether it mattered.
  await run('apt-get', [...options, '--quiet', 'update']);
  const words = [];
  let found = false;
  for (const names of packages) {
    const download = ['install', '--yes', '--quiet', '--download-only', '--no-install-recommends', '--reinstall'];
    const { ok, output } = await run('apt-get', [...options, ...download, ...names]);
    found = ok;
    if (found) break;
    words.push(output.split('\n').filter((line) => line.startsWith('E:'))[0] ?? output);
  }
  if (!found)
    throw new SetupError(
      `apt could not fetch a Redis server (${words[0]}); install redis-server, or set REDIS_URL to a server of your own.`,
    );

  const archives = join(partial, 'cache', 'archives');
  for (const name of readdirSync(archives).filter((file) => file.endsWith('.deb'))) {
    const { ok, output } = await run('dpkg-deb', ['-x', join(archives, name), join(partial, 'root')]);
    if (!ok) throw new SetupError(`dpkg could not unpack ${name}: ${output}`);
  }
  for (const folder of ['lists', 'cache']) rmSync(join(partial, folder), { recursive: true });
  writeStarter(partial);
  rmSync(home, { recursive: true, force: true });
  renameSync(partial, home);
}

/**
 * Writes the script that starts the unpacked server with the libraries unpacked beside it.
 * @param {string} folder
 */
function writeStarter(folder) {
  const binaries = readdirSync(join(folder, 'root', 'usr', 'bin'));
  const name = ['redis-server', 'valkey-server'].find((candidate) => binaries.includes(candidate));
  const script = `#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)/root
for folder in "$here"/usr/lib/*-linux-* "$here"/lib/*-linux-*; do
  LD_LIBRARY_PATH="$folder\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
done
export LD_LIBRARY_PATH
exec "$here/usr/bin/${name}" "$@"
`;
  writeFileSync(join(folder, 'redis-server'), script);
  chmodSync(join(folder, 'redis-server'), 0o755);
}
