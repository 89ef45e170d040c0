import { classOf, vaultFailure } from '@keyferry/core';
import { freshLooks } from '../common/fresh-look.ts';
import { isObject } from '../common/json.ts';
import { untilAborted } from '../common/until-aborted.ts';
import type { CallOperation } from '../contract.ts';
import type { HashicorpConfig } from './config.ts';
import { type Answer, dataOf, failureOf, saysNothingHere } from './errors.ts';
import { encodePath } from './path.ts';
import type { Ask } from './session.ts';

export type KvVersion = 1 | 2;

interface Mount {
  version: KvVersion;
  container: 'present' | 'unproven';
  /** What the vault itself calls it, where it tells: a mount that is made anew has another one. */
  id: string | null;
}

export interface MountInspector {
  /** Asks the vault. Rejects with `container_missing` or `container_mismatch` where that is proven. */
  inspect(operation: CallOperation, signal: AbortSignal): Promise<Mount>;
  /** As configured or as last proven, else asked: what can't be proven is a guess, and asked again the next time. */
  version(signal: AbortSignal): Promise<KvVersion>;
  /**
   * The same for whoever writes, where a guess won't do: a mount of version 1 would take a write that is meant for
   * version 2, at another path. Rejects with `container_unproven`.
   */
  versionToWrite(signal: AbortSignal): Promise<KvVersion>;
  /**
   * Vouches for a 404 that a read of this version has met, by a look at the mount that begins after it: a mount of the
   * other version answers everything so. Rejects with `container_unproven`, `container_mismatch` or
   * `container_missing`.
   */
  prove(version: KvVersion, signal: AbortSignal): Promise<void>;
}

export function createMountInspector(config: HashicorpConfig, ask: Ask, now: () => number): MountInspector {
  const mount = encodePath(config.mount);
  let proven: KvVersion | undefined;

  /** What the vault itself says, which it does for whoever has a permission on anything below the mount. */
  async function told(operation: CallOperation, signal: AbortSignal): Promise<Mount | null> {
    const request = { path: `sys/internal/ui/mounts/${mount}`, what: `find the mount "${config.mount}"` };
    try {
      const data = await ask(operation, request, signal, (answer) => dataOf(answer, request.what, now()));
      return { version: versionOf(data, config), container: 'present', id: idOf(data) };
    } catch (error) {
      if (classOf(error) === 'forbidden') return null;
      throw error;
    }
  }

  /** What a listing at a root shows: a mount that isn't there rejects, a policy against it tells nothing. */
  async function look(root: string, operation: CallOperation, signal: AbortSignal): Promise<Answer | null> {
    const request = { path: `${root}/?list=true`, what: `list the root of "${config.mount}"`, listing: true };
    try {
      return await ask(operation, request, signal, (answer) => {
        if (answer.status === 200 || isQuiet(answer)) return answer;
        throw failureOf(answer, request.what, now());
      });
    } catch (error) {
      if (classOf(error) === 'forbidden') return null;
      throw error;
    }
  }

  async function behaviour(operation: CallOperation, signal: AbortSignal): Promise<Mount> {
    // KV 2 serves nothing at the root of its mount, so that what lists there is KV 1.
    if (config.kv_version !== 2 && listsKeys(await look(mount, operation, signal)))
      return { version: 1, container: 'present', id: null };
    if (config.kv_version !== 1 && listsKeys(await look(`${mount}/metadata`, operation, signal)))
      return { version: 2, container: 'present', id: null };
    return { version: config.kv_version ?? 2, container: 'unproven', id: null };
  }

  async function inspect(operation: CallOperation, signal: AbortSignal): Promise<Mount> {
    const found = (await told(operation, signal)) ?? (await behaviour(operation, signal));
    if (config.kv_version !== undefined && found.version !== config.kv_version)
      throw otherVersion(found.version, config.kv_version);
    proven = found.container === 'present' ? found.version : undefined;
    return found;
  }

  const freshLook = freshLooks((signal) => inspect('detect', signal));

  function otherVersion(found: KvVersion, expected: KvVersion) {
    return mismatch(`The mount "${config.mount}" is KV version ${found}, not ${expected}.`);
  }

  return {
    inspect,
    version: async (signal) => config.kv_version ?? proven ?? (await inspect('detect', signal)).version,
    async versionToWrite(signal) {
      const known = config.kv_version ?? proven;
      if (known !== undefined) return known;
      const found = await inspect('detect', signal);
      if (found.container === 'unproven')
        throw unproven(`Nothing was written: it can’t be seen of which version the mount "${config.mount}" is.`);
      return found.version;
    },
    async prove(version, signal) {
      const found = await untilAborted(freshLook(), signal);
      if (found.container === 'unproven')
        throw unproven(`Nothing was found, but the mount "${config.mount}" can’t be seen to be there.`);
      if (found.version !== version) throw otherVersion(found.version, version);
    },
  };
}

/** 404 with nothing but emptiness or a hint in it, as an empty root or the other version of KV answers. */
function isQuiet(answer: Answer): boolean {
  return saysNothingHere(answer) || (answer.status === 404 && isObject(answer.body) && 'warnings' in answer.body);
}

function listsKeys(answer: Answer | null): boolean {
  return answer?.status === 200 && isObject(answer.body) && isObject(answer.body.data);
}

function versionOf(data: Record<string, unknown>, config: HashicorpConfig): KvVersion {
  const { type, options, path } = data;
  // The vault answers for the mount that a path is in: "kv/team" inside "kv" is a folder, not a mount.
  if (typeof path === 'string' && path !== `${config.mount}/`)
    throw vaultFailure('invalid', `"${config.mount}" is a path inside another mount.`, {
      code: 'container_missing',
    });
  if (type !== 'kv' && type !== 'generic') throw mismatch(`The mount "${config.mount}" is no KV secrets engine.`);
  return isObject(options) && options.version === '2' ? 2 : 1;
}

/** Texts that are kept as a mount's name; any other is not kept. */
const mountId = /^[\w.-]{1,128}$/;

function idOf({ uuid, accessor }: Record<string, unknown>): string | null {
  return ([uuid, accessor].find((id) => typeof id === 'string' && mountId.test(id)) as string | undefined) ?? null;
}

function unproven(what: string) {
  return vaultFailure('invalid', what, { code: 'container_unproven' });
}

function mismatch(what: string) {
  return vaultFailure('invalid', what, { code: 'container_mismatch' });
}
