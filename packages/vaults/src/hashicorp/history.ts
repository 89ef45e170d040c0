import { classOf, vaultFailure } from '@keyferry/core';
import type { SecretVersion, VaultBackend } from '../contract.ts';
import type { HashicorpConfig } from './config.ts';
import { dataOf, malformed, saysNothingHere } from './errors.ts';
import type { MountInspector } from './mount.ts';
import { encodePath, isAddressable } from './path.ts';
import type { SecretReader } from './read.ts';
import type { Ask } from './session.ts';
import { versionsOfMetadata } from './state.ts';

/** What KV 2 keeps of earlier versions. */
export function createHistory(
  config: HashicorpConfig,
  ask: Ask,
  mounts: MountInspector,
  readSecret: SecretReader,
  now: () => number,
): Pick<VaultBackend, 'versions' | 'readVersion'> {
  const base = `${encodePath(config.mount)}/metadata/`;

  async function expectVersions(path: string, signal: AbortSignal): Promise<void> {
    if ((await mounts.version(signal)) === 1)
      throw vaultFailure('invalid', `There are no versions of "${path}": KV version 1 keeps none.`);
    if (!isAddressable(path))
      throw vaultFailure('invalid', `Could not read "${path}": a vault can't be asked for a name with such segments.`);
  }

  /** A 404 counts once the mount is proven to be there, and of version 2. */
  async function proven<Result>(attempt: Promise<Result>, signal: AbortSignal): Promise<Result> {
    try {
      return await attempt;
    } catch (error) {
      if (classOf(error) === 'not_found') await mounts.prove(2, signal);
      throw error;
    }
  }

  function readVersions(path: string, signal: AbortSignal): Promise<SecretVersion[]> {
    const what = `read the versions of "${path}"`;
    return ask('history', { path: base + encodePath(path), what }, signal, (answer) => {
      if (saysNothingHere(answer)) throw vaultFailure('not_found', `The vault has no "${path}".`);
      const versions = versionsOfMetadata(dataOf(answer, what, now()), now());
      if (versions === null) throw malformed(what);
      return versions;
    });
  }

  return {
    async versions(path, signal) {
      await expectVersions(path, signal);
      return proven(readVersions(path, signal), signal);
    },

    async readVersion(path, version, signal) {
      await expectVersions(path, signal);
      if (!/^[1-9]\d{0,14}$/.test(version))
        throw vaultFailure(
          'not_found',
          `The vault has no version of this name of "${path}": its versions are numbers.`,
        );
      const reading = await proven(readSecret('history', path, 2, signal, version), signal);
      if (reading.version !== version) throw malformed(`read version ${version} of "${path}"`);
      return reading;
    },
  };
}
