import { removeOwned, type StoredSecrets, storeSecrets } from '@keyferry/access';
import {
  type Channel,
  type ChannelSettings,
  getChannel,
  keptIn,
  keptPath,
  openChannelSecret,
  ownerOf,
  readKept,
  type Tx,
} from '@keyferry/store';
import type { ApiOptions } from './create-api.ts';

/** Addresses and credentials of channels, kept in a vault that Keyferry may write to, where the tenant has one. */

type Secret = ChannelSettings['secret'];

/** Texts that were stored, by member. */
type Texts = Map<string, string>;

interface Said {
  tenantId: string;
  by: string;
}

/** Makes a channel by `create`, its secret kept. If it can't be made, the secret isn't either. */
export async function keepFirstSecret(
  options: ApiOptions,
  { tenantId, by, id, secret }: Said & { id: string; secret: Secret },
  create: (secret: Secret) => Promise<Channel>,
): Promise<Channel> {
  const texts = textsOf(secret);
  const stored = await storeSecrets(options, { tenantId, by, owner: { kind: 'channel', id }, secrets: [...texts] });
  return await stored.orUndo(() => create(withReferences(secret, texts, stored)));
}

/**
 * Changes a channel by `change`, which says with `secretOf` what its secret is then, and is given how to store it. What of
 * the secret stays, and is kept already, is left alone.
 */
export async function keepChangedSecret(
  options: ApiOptions,
  { tenantId, by, channel }: Said & { channel: string },
  secretOf: (tx: Tx, found: Channel) => Promise<Secret>,
  change: (store: (secret: Secret) => Secret) => Promise<Channel>,
): Promise<Channel> {
  const keys = await options.keyring.ofTenant(tenantId);
  const before = await options.store.inTenant(tenantId, async (tx) => {
    const found = await getChannel(tx, channel);
    const raw = await openChannelSecret(tx, found.id, keys);
    const current = await readKept(tx, raw, keys, options.now());
    return { id: found.id, raw, current, wanted: await secretOf(tx, found) };
  });
  const texts = textsOf(before.wanted);
  const kept = new Map([...texts].flatMap(([member, text]) => keptAs(member, text, before)));
  const secrets = [...texts].filter(([member]) => !kept.has(member));
  const owner = { kind: 'channel', id: before.id } as const;
  const stored = await storeSecrets(options, { tenantId, by, owner, secrets });
  const paths = new Map([...kept, ...stored.paths]);
  const changed = await stored.orUndo(() => change((secret) => withReferences(secret, texts, { paths })));
  const used = new Set(paths.values());
  await removeOwned(options, { tenantId, by, owner: ownerOf(owner), isKept: (path) => used.has(path) });
  return changed;
}

function keptAs(member: string, text: string, { raw, current }: { raw: Secret; current: Secret }): [string, string][] {
  const path = keptPath(raw[member]);
  return path !== null && current[member] === text ? [[member, path]] : [];
}

const textsOf = (secret: Secret): Texts =>
  new Map(Object.entries(secret).flatMap(([member, text]) => (typeof text === 'string' ? [[member, text]] : [])));

/** What was stored is referred to, if it is still that. */
function withReferences(secret: Secret, texts: Texts, { paths }: Pick<StoredSecrets, 'paths'>): Secret {
  const members = Object.entries(secret).map(([member, text]) => {
    const path = texts.get(member) === text ? paths.get(member) : undefined;
    return [member, path === undefined ? text : keptIn(path)];
  });
  return Object.fromEntries(members);
}
