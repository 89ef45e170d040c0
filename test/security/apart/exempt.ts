/** Exports of the store that can't bring one tenant to another, and why. */

const pure = 'it makes something of its arguments alone';
const acrossTenants = 'it works across tenants, by a function of the database that returns ids and numbers alone';
const ofTheProcess = 'it is no tenant’s: the process, its keys or its database';
const locks = 'it takes a lock by name, and reads and writes nothing';

export const exempt: Record<string, string> = {
  Overtaken: pure,
  accessRevisions: acrossTenants,
  allTenants: acrossTenants,
  asStoreError: pure,
  backendsWithUndeliveredEvents: acrossTenants,
  byCycle: pure,
  byTime: pure,
  channelBinding: pure,
  createKeyring: ofTheProcess,
  defaultTenantId: pure,
  dueKinds: pure,
  findTenant: 'it is an operator’s, whom the route asks for: apps/api/test/tenants.test.ts',
  forgetDeletedTenants: ofTheProcess,
  keptIn: pure,
  keptPath: pure,
  keptTenants: acrossTenants,
  keyEvents: pure,
  loadMasterKey: ofTheProcess,
  lockNotifications: locks,
  migrate: ofTheProcess,
  movableColumns: pure,
  openStore: ofTheProcess,
  openVersion: pure,
  operatorsName: pure,
  ownerOf: pure,
  pendingMigrations: ofTheProcess,
  pingDatabase: ofTheProcess,
  purgeTenantRows:
    'it empties the tenant of its transaction, whatever it is given: packages/store/test/tenant-deletion.test.ts',
  remoteHash: pure,
  selectLocked: 'it is a query that others narrow down: lockKeys',
  servedAmong: pure,
  settledEvent: pure,
  shownBackend: pure,
  tenantsDeleted: acrossTenants,
  tenantsDue: acrossTenants,
  tenantsToPurge: acrossTenants,
  tenantsWithDueNotices: acrossTenants,
  tenantsWithNoticesToCollect: acrossTenants,
  tenantsWithOpenCycles: acrossTenants,
  tryLockNotifications: locks,
  unknownTenant: pure,
  valueAt: pure,
  valueBinding: pure,
  waitForDatabase: ofTheProcess,
};
