import type { ErrorCode } from '@keyferry/core';
import { gather } from '../common/gather.ts';
import { incompleteListing } from '../common/incomplete-listing.ts';
import { isObject } from '../common/json.ts';
import type { ConnectContext, ListScope, SecretRef } from '../contract.ts';
import { type FolderReader, nameOf } from './folder.ts';
import type { MountInspector } from './mount.ts';
import { isAddressable } from './path.ts';
import { bareRef, createRevisionReader, type MetadataReader, refOf } from './revision.ts';
import { stateOfMetadata } from './state.ts';

const pageSize = 500;

/** So many secrets may wait for their revision before further folders are opened: what bounds memory. */
const mostWaiting = 1_000;

/** Failures of the vault as a whole keep their code; every other one becomes `listing_incomplete`. */
const codesOfTheWhole: readonly ErrorCode[] = ['vault_sealed', 'vault_unauthenticated', 'container_missing'];

interface ListingParts {
  mounts: MountInspector;
  folders: FolderReader;
  readMetadata: MetadataReader;
  context: ConnectContext;
}

/** Walks folders and asks for revisions side by side. Pages come in any order; what can't be listed rejects. */
export async function* listSecrets(
  { mounts, folders, readMetadata, context }: ListingParts,
  scope: ListScope,
  signal: AbortSignal,
): AsyncGenerator<SecretRef[], void, void> {
  const version = await mounts.version(signal);
  const [first] = scope.folders;
  if (version === 2 && first !== undefined)
    await folders.detect(first, signal).catch((error) => rejectIncomplete(error, nameOf(first), signal));

  const unopened = [...scope.folders];
  const waiting: string[] = [];
  const revisions = createRevisionReader(readMetadata);

  const open = async (folder: string, taskSignal: AbortSignal): Promise<Iterable<SecretRef>> => {
    const content = await folders
      .read(folder, version, taskSignal)
      .catch((error) => rejectIncomplete(error, nameOf(folder), taskSignal));
    return refsOf(folder, content);
  };

  /** Puts off what needs more calls, and yields the rest one by one: a folder may hold a hundred thousand. */
  function* refsOf(folder: string, { names, details }: Awaited<ReturnType<FolderReader['read']>>): Iterable<SecretRef> {
    for (const name of names) {
      const path = folder + name;
      if (name.endsWith('/')) {
        // A folder that no URL can name is shown as it is, so that it is reported and not dropped.
        if (scope.enters?.(path) === false) continue;
        if (isAddressable(path.slice(0, -1))) unopened.push(path);
        else if (scope.includes(path)) yield bareRef(path);
      } else if (scope.includes(path)) {
        if (details) yield refOf(path, stateIn(details, name));
        else if (version === 2 && revisions.worthwhile && scope.wantsRevision(path)) waiting.push(path);
        else yield bareRef(path);
      }
    }
  }

  function stateIn(details: Record<string, unknown>, name: string) {
    const metadata = Object.hasOwn(details, name) ? details[name] : undefined;
    return isObject(metadata) ? stateOfMetadata(metadata, context.now()) : null;
  }

  const next = () => {
    const folder = waiting.length < mostWaiting ? unopened.pop() : undefined;
    if (folder !== undefined) return (taskSignal: AbortSignal) => open(folder, taskSignal);
    const path = waiting.pop();
    if (path === undefined) return undefined;
    return async (taskSignal: AbortSignal): Promise<Iterable<SecretRef>> => [
      await revisions.read(path, taskSignal).catch((error) => rejectIncomplete(error, `"${path}"`, taskSignal)),
    ];
  };

  let page: SecretRef[] = [];
  for await (const refs of gather(context, signal, next)) {
    for (const ref of refs) {
      page.push(ref);
      if (page.length === pageSize) {
        yield page;
        page = [];
      }
    }
  }
  if (page.length > 0) yield page;
}

function rejectIncomplete(error: unknown, where: string, signal: AbortSignal): never {
  signal.throwIfAborted();
  throw incompleteListing(error, `at ${where}`, codesOfTheWhole);
}
