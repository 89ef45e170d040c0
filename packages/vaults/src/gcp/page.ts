import { classOf, vaultFailure } from '@keyferry/core';
import type { CallOperation } from '../contract.ts';
import type { SdkCall } from './client.ts';
import { hasOnly, malformed } from './errors.ts';
import type { Ask } from './session.ts';
import type { Secret, Version } from './state.ts';

/**
 * A fifth of what the vault gives at once: every secret is read anyway, so that larger pages would save next to no call,
 * and each takes tens of megabytes while it is read.
 */
export const entriesAPage = 5_000;

export interface Page<Item> {
  items: Item[];
  /** Where the next one begins, or null after the last. */
  next: string | null;
}

export interface Place {
  size: number;
  /** What the page before gave, or empty for the first. */
  from: string;
}

/** Some secrets of a project. That it isn't there is `container_missing`, whatever the answer calls that. */
export async function secretsPage(
  ask: Ask,
  operation: CallOperation,
  parent: string,
  { size, from }: Place,
  signal: AbortSignal,
): Promise<Page<Secret>> {
  const what = `list the secrets of ${parent}`;
  const call: SdkCall<Page<Secret>> = async (sdk, options) => {
    const [items, , answer] = await sdk.listSecrets({ parent, pageSize: size, pageToken: from }, options);
    return { items, next: answer.nextPageToken || null };
  };
  try {
    return await ask(operation, { call, what, listing: true }, signal, (page, body) =>
      checked(page, body, 'secrets', from, what),
    );
  } catch (error) {
    if (classOf(error) !== 'not_found') throw error;
    throw vaultFailure('invalid', `Could not ${what}: there is no such project or location (404).`, {
      code: 'container_missing',
    });
  }
}

/** Some versions of a secret, the newest first; `what` is attempted on it. */
export function versionsPage(
  ask: Ask,
  parent: string,
  { size, from }: Place,
  what: string,
  signal: AbortSignal,
): Promise<Page<Version>> {
  const call: SdkCall<Page<Version>> = async (sdk, options) => {
    const [items, , answer] = await sdk.listSecretVersions({ parent, pageSize: size, pageToken: from }, options);
    return { items, next: answer.nextPageToken || null };
  };
  return ask('history', { call, what, listing: true }, signal, (page, body) =>
    checked(page, body, 'versions', from, what),
  );
}

/**
 * An empty listing is a proof, and the SDK finds one in any JSON. So what is found empty must have no words but a
 * listing's; only of a project without secrets has it none, which no page after another can be of.
 */
function checked<Item>(page: Page<Item>, body: Buffer, name: string, from: string, what: string): Page<Item> {
  const words = [name, 'nextPageToken', 'totalSize'];
  const strange = page.items.length === 0 && (!hasOnly(body, words) || (from !== '' && hasOnly(body, [])));
  if (strange) throw malformed(what);
  return page;
}
