import { classOf } from '@keyferry/core';
import { isObject, type JsonObject } from '../common/json.ts';
import type { HashicorpConfig } from './config.ts';
import { type Answer, dataOf, malformed, saysNothingHere } from './errors.ts';
import type { KvVersion } from './mount.ts';
import { encodePath } from './path.ts';
import type { Ask } from './session.ts';

/** What is in a folder. Names are relative to it; those that end in a slash are folders. */
interface FolderContent {
  names: string[];
  /** Metadata by name, where the vault lists it. */
  details: JsonObject | null;
}

export interface FolderReader {
  /** Whether the vault lists metadata with the names, as OpenBao does. Asked once, by a look at a folder. */
  detect(folder: string, signal: AbortSignal): Promise<void>;
  /** What is in a folder, or all below it where one call can show that. Rejects if any of it can't be told. */
  read(folder: string, version: KvVersion, signal: AbortSignal): Promise<FolderContent>;
}

/** Failures of a way to list that only some vaults have and some policies allow: another way is taken then. */
const anotherWay: readonly string[] = ['forbidden', 'invalid', 'too_large'];

export function createFolderReader(config: HashicorpConfig, ask: Ask, now: () => number): FolderReader {
  const mount = encodePath(config.mount);
  /** Ways that are known to work or not; undefined until known. */
  const works: { detailed?: boolean; scan?: boolean } = {};

  const urlOf = (area: string, folder: string, query: string) => `${mount}/${area}${encodePath(folder)}?${query}`;

  function list(path: string, folder: string, signal: AbortSignal, detailed: boolean): Promise<FolderContent> {
    const request = { path, what: `list ${nameOf(folder)}`, listing: true };
    return ask('list', request, signal, (answer) => contentOf(answer, request.what, now(), detailed));
  }

  async function unlessAnotherWay(attempt: Promise<FolderContent>): Promise<FolderContent | null> {
    try {
      return await attempt;
    } catch (error) {
      if (anotherWay.includes(classOf(error))) return null;
      throw error;
    }
  }

  async function detect(folder: string, signal: AbortSignal): Promise<void> {
    if (works.detailed !== undefined) return;
    const request = { path: urlOf('detailed-metadata/', folder, 'list=true&limit=1'), what: `list ${nameOf(folder)}` };
    const found = await unlessAnotherWay(
      ask('detect', request, signal, (answer) => contentOf(answer, request.what, now(), true)),
    );
    // An empty folder looks the same with and without this way of listing: it stays unknown.
    if (found === null || found.names.length > 0) works.detailed = found !== null;
  }

  async function read(folder: string, version: KvVersion, signal: AbortSignal): Promise<FolderContent> {
    if (version === 1) return list(urlOf('', folder, 'list=true'), folder, signal, false);
    if (works.detailed && works.scan !== false) {
      const all = await unlessAnotherWay(list(urlOf('detailed-metadata/', folder, 'scan=true'), folder, signal, true));
      works.scan = all !== null;
      if (all?.names.some((name) => name.endsWith('/'))) throw malformed(`list ${nameOf(folder)}`);
      if (all) return all;
    }
    if (works.detailed) {
      const content = await unlessAnotherWay(
        list(urlOf('detailed-metadata/', folder, 'list=true'), folder, signal, true),
      );
      if (content) return content;
    }
    const content = await list(urlOf('metadata/', folder, 'list=true'), folder, signal, false);
    if (content.names.length > 0) works.detailed ??= false;
    return content;
  }

  return { detect, read };
}

/** An empty listing is a proof, so nothing but Vault's own word for it is taken for one. */
function contentOf(answer: Answer, what: string, now: number, detailed: boolean): FolderContent {
  if (saysNothingHere(answer)) return { names: [], details: detailed ? {} : null };
  const { keys, key_info: details } = dataOf(answer, what, now);
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string' && key !== '')) throw malformed(what);
  if (detailed && !isObject(details)) throw malformed(what);
  return { names: keys, details: isObject(details) ? details : null };
}

/** A folder as a message names it. */
export function nameOf(folder: string): string {
  return folder === '' ? 'the root folder' : `folder "${folder}"`;
}
