import { createEgressClient, parseEgress } from '@keyferry/egress';
import {
  createIdentity,
  createToken,
  defaultTenantId,
  openStore,
  raiseAccessRevision,
  readAccess,
  revokeToken,
  type Store,
  updateIdentity,
} from '@keyferry/store';
import { createLog } from '@keyferry/telemetry';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Identities, openIdentities } from '../src/index.ts';

let database: TestDatabase;
let owner: Store;
let at = new Date('2026-06-01T12:00:00Z');
const now = () => at;
const pass = (milliseconds: number) => {
  at = new Date(at.getTime() + milliseconds);
};
const tenantId = defaultTenantId;

beforeAll(async () => {
  database = await createDatabase();
  owner = openStore({ connectionString: database.url });
});
afterAll(async () => {
  await owner.close();
  await database.drop();
});
beforeEach(() => pass(3_600_000));

/** A process of its own: another store, another directory. `transactions` counts what it asks Postgres. */
function startProcess() {
  const opened = openStore({ connectionString: database.url });
  const counts = { transactions: 0 };
  const store: Store = {
    ...opened,
    inTenant(id, work) {
      counts.transactions += 1;
      return opened.inTenant(id, work);
    },
  };
  const egress = createEgressClient({ policy: parseEgress(undefined) });
  const log = createLog({ name: 'test', level: 'silent' });
  const identities = openIdentities({ store, egress, log, now });
  onTestFinished(async () => {
    await identities.close();
    await egress.close();
    await store.close();
  });
  return { identities, counts, store };
}

async function who({ authenticators }: Identities, credential: string): Promise<string | null> {
  for (const authenticator of authenticators) {
    const identity = await authenticator.identify(credential, { tenant: null });
    if (identity) return identity.actor;
  }
  return null;
}

let made = 0;
async function newToken(): Promise<{ token: string; tokenId: string; identityId: string; name: string }> {
  const name = `someone-${++made}`;
  return await owner.inTenant(tenantId, async (tx) => {
    const settings = { name, description: '', operator: false, scopes: [] };
    const { id } = await createIdentity(tx, { tenantId, settings, by: 'test', now: at });
    const given = { tenantId, identityId: id, name: 'one', expiresAt: null, by: 'test', now: at };
    const { token, row } = await createToken(tx, given);
    return { token, tokenId: row.id, identityId: id, name };
  });
}

describe('what another process changes', () => {
  test('a revoked token is nobody’s two seconds later, and may be somebody’s until then', async () => {
    const { token, identityId, name } = await newToken();
    const [one, two] = [startProcess(), startProcess()];
    for (const { identities } of [one, two]) expect(await who(identities, token)).toBe(name);
    await one.store.inTenant(tenantId, (tx) => revokeToken(tx, { tenantId, identityId, idOrName: 'one', now: at }));
    one.identities.directory.changed(tenantId);
    expect(await who(one.identities, token)).toBeNull();
    expect(await who(two.identities, token)).toBe(name);
    pass(2_001);
    expect(await who(two.identities, token)).toBeNull();
  });

  test('so is one whose identity was disabled', async () => {
    const { token, identityId, name } = await newToken();
    const { identities } = startProcess();
    expect(await who(identities, token)).toBe(name);
    const change = { tenantId, id: identityId, change: { state: 'disabled' as const }, now: at };
    await owner.inTenant(tenantId, (tx) => updateIdentity(tx, change));
    pass(2_001);
    expect(await who(identities, token)).toBeNull();
  });

  test('a token that was just made by another is somebody’s at once', async () => {
    const { identities } = startProcess();
    expect(await who(identities, (await newToken()).token)).not.toBeNull();
    const { token, name } = await newToken();
    expect(await who(identities, token)).toBe(name);
  });

  test('a tenant that was suspended is found so, and one that goes on too', async () => {
    const { token, name } = await newToken();
    const { identities } = startProcess();
    const becomes = (state: 'active' | 'suspended') =>
      owner.asOperator(async (tx) => {
        await tx.updateTable('tenants').set({ state }).where('id', '=', tenantId).execute();
      });
    const raise = () => owner.inTenant(tenantId, (tx) => raiseAccessRevision(tx, tenantId));
    expect(await who(identities, token)).toBe(name);
    await becomes('suspended');
    await raise();
    pass(2_001);
    await expect(who(identities, token)).rejects.toMatchObject({ code: 'tenant_suspended' });
    await becomes('active');
    await raise();
    pass(2_001);
    expect(await who(identities, token)).toBe(name);
  });
});

describe('what it costs', () => {
  test('a token that is known costs no transaction, however many requests it opens', async () => {
    const { token, name } = await newToken();
    const { identities, counts } = startProcess();
    expect(await who(identities, token)).toBe(name);
    const before = counts.transactions;
    for (let i = 0; i < 100; i++) {
      pass(100);
      expect(await who(identities, token)).toBe(name);
    }
    expect(counts.transactions).toBe(before);
  });

  test('many who come at once to a process that knows nothing wait for one look at the tenant', async () => {
    const { token, name } = await newToken();
    const { identities, counts } = startProcess();
    const all = await Promise.all(Array.from({ length: 50 }, () => identities.directory.accessOf(tenantId)));
    expect(new Set(all).size).toBe(1);
    expect(counts.transactions).toBe(1);
    expect(await who(identities, token)).toBe(name);
  });
});

test('a change of one tenant has nobody ask about another', async () => {
  const other = '33333333-3333-4333-8333-333333333333';
  await owner.asOperator(async (tx) => {
    await tx.insertInto('tenants').values({ id: other, name: 'apart' }).execute();
  });
  await owner.inTenant(other, (tx) => raiseAccessRevision(tx, other));
  const { identities, counts } = startProcess();
  const { directory } = identities;
  expect((await directory.accessOf(other))?.tenant.name).toBe('apart');
  const before = counts.transactions;
  for (let index = 0; index < 5; index++) {
    pass(2_001);
    const looked = directory.accessOf(other);
    directory.changed(tenantId);
    expect((await looked)?.tenant.name).toBe('apart');
  }
  expect(counts.transactions).toBe(before);
});

test('who may do what is read as of one moment', async () => {
  const { identityId } = await newToken();
  const change = { tenantId, id: identityId, change: { description: 'another' }, now: at };
  const described = await owner.inTenant(tenantId, async (tx) => {
    const access = await readAccess(tx, tenantId);
    await owner.inTenant(tenantId, (other) => updateIdentity(other, change));
    const rows = await tx.selectFrom('identities').select('description').where('id', '=', identityId).execute();
    return [access?.identities.find(({ id }) => id === identityId)?.description, rows[0]?.description];
  });
  expect(described).toEqual(['', '']);
});
