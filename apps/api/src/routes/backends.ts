import { randomUUID } from 'node:crypto';
import { removeOwnedOfRemoved } from '@keyferry/access';
import { credentialKeys, credentialKeysIn } from '@keyferry/connections';
import {
  backendAnswer,
  backendChange,
  backendInput,
  backendList,
  backendPatch,
  backendPreview,
  backendRemoval,
  backendRemoved,
  removalHeld,
  removalPreview,
} from '@keyferry/contracts';
import { previewChange, previewRemoval, refuseUnmatchedRules, requestRemoval } from '@keyferry/pipeline';
import {
  audit,
  type Backend,
  type BackendSettings,
  createBackend,
  forgetContainer,
  getBackend,
  listBackends,
  lockBackends,
  openSettings,
  refuseCredentialCycle,
  type TenantKeys,
  type Tx,
  updateBackend,
} from '@keyferry/store';
import { vaultOfKind } from '@keyferry/vaults';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { showBackend } from '../answers/backend.ts';
import { backendNames } from '../answers/backend-names.ts';
import { showHold } from '../answers/hold.ts';
import { requireOn } from '../authentication.ts';
import {
  changedSettings,
  checkedConfig,
  concernsCredentials,
  mergedConfig,
  newSettings,
  refuseForeignKeys,
  refuseRedirection,
  withLastingCredentials,
} from '../backend-settings.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { type Federated, federatedSettings } from '../federated-settings.ts';
import { keepChanged, keepFirst } from '../kept-credentials.ts';
import { responses } from '../responses.ts';
import { vaultRefusals } from '../vault-refusals.ts';
import { byIdOrName } from './parameters.ts';

type Members = Record<string, unknown>;

const tags = ['backends'];
const badSettings = [
  'config_invalid',
  'duration_invalid',
  'glob_invalid',
  'mapping_not_invertible',
  'reference_invalid',
  'reference_refused',
  'reference_unresolved',
  'credentials_cycle',
  'credentials_withdrawn',
  'backend_exists',
  'tenant_limit_reached',
  ...vaultRefusals,
] as const;

/** Registers, shows, changes and removes backends. */
export function backendRoutes(app: Api, options: ApiOptions): void {
  const { store, keyring, secrets, now } = options;

  /** The change with credentials that last. Its vault is the one of the settings as they would be. */
  async function lastingChange(tenantId: string, idOrName: string, change: Members, keys: TenantKeys) {
    const { backend, stored } = await store.inTenant(tenantId, async (tx) => {
      const found = await getBackend(tx, idOrName);
      return { backend: found, stored: await openSettings(tx, found.id, keys) };
    });
    const owner = { id: backend.id, keys: credentialKeys(options, tenantId) };
    const { auth } = await withLastingCredentials(options, backend, mergedConfig(stored, change), owner);
    return { ...change, auth };
  }

  /** The vault's own settings with a change laid over them, checked. */
  async function changedConfig(tx: Tx, backend: Backend, change: Members, keys: TenantKeys) {
    const { id, tenant_id: tenantId, kind, config: before } = backend;
    const merged = mergedConfig(await openSettings(tx, id, keys), change);
    refuseRedirection(vaultOfKind(options.registry, kind).destination, before, change);
    const owner = { id, keys: credentialKeysIn(tx, keys, now()) };
    const { auth, ...checked } = await checkedConfig(options, kind, merged, owner);
    await refuseCredentialCycle(tx, { id, tenantId }, checked.credential_paths);
    return 'auth' in change ? { ...checked, auth } : checked;
  }

  /** Refuses a change by which credentials that are in keys would be sent, by somebody who may not read those. */
  async function refuseForeignChange(request: FastifyRequest, { id, tenant_id, kind }: Backend, change: Members) {
    if (!concernsCredentials(vaultOfKind(options.registry, kind).destination, change)) return;
    const keys = await keyring.ofTenant(tenant_id);
    const stored = await store.inTenant(tenant_id, (tx) => openSettings(tx, id, keys));
    refuseForeignKeys((path) => requireOn(request, 'read', path), mergedConfig(stored, change));
  }

  const federated = <Change extends Partial<BackendSettings>>(
    former: Federated & { kind: string },
    change: Change,
    config: Members,
  ) => federatedSettings(vaultOfKind(options.registry, former.kind), { former, config, change });

  app.get(
    '/federation/backends',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: { tags, summary: 'List the backends', response: responses({ 200: backendList }) },
    },
    async ({ identity }) => {
      const backends = await store.inTenant(identity.tenantId, listBackends);
      return { items: backends.map(showBackend) };
    },
  );

  app.post(
    '/federation/backends',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Register a backend; its first cycle is due at once',
        body: backendInput(options.registry),
        response: responses({ 201: backendAnswer }, ...badSettings, 'backend_kind_unknown'),
      },
    },
    async (request, reply) => {
      const { identity, body } = request;
      const { tenantId, actor } = identity;
      const { config, ...rest } = body;
      refuseForeignKeys((path) => requireOn(request, 'read', path), config);
      const { kind } = rest;
      const ownSettings = newSettings(rest);
      const keys = await keyring.ofTenant(tenantId);
      const owner = { id: null, keys: credentialKeys(options, tenantId) };
      const lasting = await withLastingCredentials(options, rest, config, owner);
      const backend = { id: randomUUID(), kind };
      const created = await keepFirst(options, { tenantId, backend, config: lasting, owner, by: actor }, (own) =>
        store.inTenant(tenantId, async (tx) => {
          const given = { ...ownSettings, ...own };
          const settings = federated(given, given, given.config);
          const made = await createBackend(tx, { tenantId, id: backend.id, settings, keys, now: now() });
          const details = { backend_id: made.id, kind };
          await audit(tx, tenantId, { actor, action: 'backend.created', target: made.name, details }, now());
          return made;
        }),
      );
      return reply.code(201).header('location', `/v1/federation/backends/${created.id}`).send(showBackend(created));
    },
  );

  app.get(
    '/federation/backends/:id',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'Show a backend',
        params: byIdOrName,
        response: responses({ 200: backendAnswer }, 'backend_not_found'),
      },
    },
    async ({ identity, params }) =>
      showBackend(await store.inTenant(identity.tenantId, (tx) => getBackend(tx, params.id))),
  );

  app.patch(
    '/federation/backends/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Change a backend; a cycle is due at once',
        params: byIdOrName,
        querystring: backendChange,
        body: backendPatch,
        response: responses(
          { 200: z.union([backendAnswer, backendPreview]) },
          'backend_not_found',
          'rule_unmatched',
          ...badSettings,
        ),
      },
    },
    async (request) => {
      const { identity, params, query, body } = request;
      const { tenantId, actor } = identity;
      const { config: given, accept_container, ...rest } = body;
      const current = await store.inTenant(tenantId, (tx) => getBackend(tx, params.id));
      if (given) await refuseForeignChange(request, current, given);
      const foreseen = federated(current, changedSettings(rest), mergedConfig(current.config, given ?? {}));
      const change = { tenantId, backend: params.id, settings: foreseen };
      await refuseUnmatchedRules(options, change);
      if (query.dry_run === 'true') return await previewChange(options, change);
      const keys = await keyring.ofTenant(tenantId);
      const config = given?.auth ? await lastingChange(tenantId, params.id, given, keys) : given;
      const apply = (config: Members | undefined) =>
        store.inTenant(tenantId, async (tx) => {
          // So that of two changes at a time the second sees what the first has made.
          await lockBackends(tx, [current.id]);
          const former = await getBackend(tx, current.id);
          const { id, config: before } = former;
          const own: Partial<BackendSettings> = config ? await changedConfig(tx, former, config, keys) : {};
          const settings = federated(former, { ...changedSettings(rest), ...own }, own.config ?? before);
          let backend = await updateBackend(tx, { tenantId, id, settings, keys, now: now() });
          if (accept_container) backend = await forgetContainer(tx, id);
          const accepted = accept_container ? ['accept_container'] : [];
          const changed = [...Object.keys(rest), ...accepted, ...changedMembers(config)];
          const names = Object.keys(rest);
          const shown = {
            before: membersOf(showBackend(former), names),
            after: membersOf(showBackend(backend), names),
          };
          const details = {
            backend_id: id,
            changed,
            ...(names.length > 0 && { settings: shown }),
            ...(config && { before, after: backend.config }),
          };
          await audit(tx, tenantId, { actor, action: 'backend.updated', target: backend.name, details }, now());
          return backend;
        });
      const backend =
        config && 'auth' in config
          ? await keepChanged(options, { tenantId, backend: params.id, config, by: actor }, apply)
          : await apply(config);
      // Reads of this process go by them at once; the others notice by themselves. So does this one where Postgres is away.
      await secrets.check(tenantId).catch(() => {});
      return showBackend(backend);
    },
  );

  app.delete(
    '/federation/backends/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Remove a backend; one with many keys waits for somebody to approve the hold',
        params: byIdOrName,
        querystring: backendRemoval,
        response: responses(
          { 200: z.union([backendRemoved, removalPreview]), 202: removalHeld },
          'backend_not_found',
          'backend_has_keys',
          'credentials_in_use',
        ),
      },
    },
    async ({ identity, params, query }, reply) => {
      const { tenantId, actor } = identity;
      if (query.dry_run === 'true') {
        const { backend, liveKeys, wouldHold } = await previewRemoval(options, { tenantId, backend: params.id });
        return { backend, live_keys: liveKeys, would_hold: wouldHold };
      }
      const archiveKeys = query.archive_keys === 'true';
      const result = await requestRemoval(options, { tenantId, backend: params.id, archiveKeys, by: actor });
      if ('held' in result) {
        const nameOf = await store.inTenant(tenantId, backendNames);
        return reply.code(202).send({ held: showHold(result.held.hold, nameOf) });
      }
      const { id, name, archivedKeys } = result.removed;
      await removeOwnedOfRemoved(options, { tenantId, by: actor });
      return { id, name, archived_keys: archivedKeys };
    },
  );
}

/** Of settings as they are shown those that were named. */
const membersOf = (shown: object, names: readonly string[]) =>
  Object.fromEntries(Object.entries(shown).filter(([name]) => names.includes(name)));

/** What was changed. Credentials are named only; the rest of the configuration is shown to whoever lists backends. */
const changedMembers = (config: Members | undefined) => Object.keys(config ?? {}).map((name) => `config.${name}`);
