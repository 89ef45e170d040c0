import { KeyferryError } from '@keyferry/core';
import {
  approveHeld,
  rejectHeld,
  requestSync,
  restoreBackup,
  revokeKeys,
  rollBackKey,
  unrevokeKeys,
} from '@keyferry/pipeline';
import {
  type Backend,
  type BackendSettings,
  createBackend,
  expectedJobs,
  lastEventPosition,
  listEvents,
  listHolds,
} from '@keyferry/store';
import { choosing, may } from '../../support/all-paths.ts';
import { settingsFor } from '../../support/backend-settings.ts';
import type { House } from '../../support/house.ts';
import type { Settings, Trouble } from './model.ts';

/** The product, on a mount and a backend of its own, driven job by job. */
export class System {
  readonly house: House;
  readonly #mount: string;
  readonly #backend: Backend;
  #position: number;

  private constructor(house: House, mount: string, backend: Backend, position: number) {
    this.house = house;
    this.#mount = mount;
    this.#backend = backend;
    this.#position = position;
  }

  static async open(house: House, number: number): Promise<System> {
    const mount = `life-${number}`;
    house.vault.mounts.enable(mount, { type: 'kv', version: 2 });
    const { tenantId, services } = house;
    const keys = await services.keyring.ofTenant(tenantId);
    const settings: BackendSettings = settingsFor(house.vault, {
      name: mount,
      config: { address: house.vault.url, mount },
      validation_rules: [{ paths: ['**'], fields: { value: { pattern: 'good-.*' } }, severity: 'reject' }],
    });
    const { backend, position } = await house.read(async (tx) => ({
      backend: await createBackend(tx, { tenantId, settings, keys, now: house.clock.now() }),
      position: await lastEventPosition(tx),
    }));
    return new System(house, mount, backend, position);
  }

  get secrets() {
    return this.house.vault.kv(this.#mount);
  }

  /** Runs a cycle to its end, each job twice if wanted: the second finds nothing to do. */
  async cycle(trouble: Trouble, twice: boolean): Promise<void> {
    const { services, tenantId } = this.house;
    const undo = this.#inject(trouble);
    try {
      await requestSync(services, { tenantId, backend: this.#backend.id, requestedBy: 'test' });
      await this.finish(twice);
    } finally {
      undo();
    }
  }

  /** Runs every job that is waited for, until none is. */
  async finish(twice = false): Promise<void> {
    for (;;) {
      const jobs = await this.house.read((tx) => expectedJobs(tx, farAway));
      if (jobs.length === 0) return;
      for (const job of twice ? jobs.flatMap((job) => [job, job]) : jobs) await this.house.run(job);
    }
  }

  #inject(trouble: Trouble): () => void {
    const { vault } = this.house;
    const forbidden = { kind: 'status' as const, status: 403, body: { errors: ['permission denied'] } };
    switch (trouble.kind) {
      case 'none':
        return () => {};
      case 'sealed':
        vault.seal();
        return () => vault.unseal();
      case 'listing':
        return faultAt(`${this.#mount}/metadata/*`);
      case 'unreadable':
        return faultAt(
          `${this.#mount}/data/${trouble.path}`,
          // What is gone is asked for by either.
          ...(this.secrets.get(trouble.path) ? [] : [`${this.#mount}/metadata/${trouble.path}`]),
        );
    }
    function faultAt(...places: string[]): () => void {
      const faults = places.map((path) => vault.faults.inject({ effect: forbidden, path }));
      return () => {
        for (const fault of faults) fault.remove();
      };
    }
  }

  async change(settings: Settings): Promise<void> {
    await this.house.change(this.#backend, {
      auto_deprecate: settings.autoDeprecate,
      grace_period_seconds: settings.grace,
      retain_archived_seconds: settings.retention,
      sync_paths: settings.narrowed ? ['bifrost/a/*'] : ['bifrost/*'],
    });
  }

  /** Decides on the open hold, if there is one, without letting the cycle that follows run. */
  async decide(verdict: 'approved' | 'rejected'): Promise<void> {
    const { services, tenantId } = this.house;
    const holds = await this.house.read((tx) => listHolds(tx, { backendId: this.#backend.id, limit: 10 }));
    for (const { id } of holds) {
      const request = { tenantId, holdId: id, by: 'ann' };
      if (verdict === 'approved') await approveHeld(services, request);
      else await rejectHeld(services, request);
    }
  }

  async person(what: 'revoke' | 'unrevoke' | 'rollBack' | 'restore', path: string): Promise<void> {
    const { services, tenantId } = this.house;
    const common = { tenantId, may, choosing, reason: 'because', by: 'ann' };
    const [key] = await this.house.read((tx) =>
      tx.selectFrom('keys').select(['id', 'version']).where('local_path', '=', path).execute(),
    );
    const act = {
      revoke: () => revokeKeys(services, { ...common, paths: [path], dryRun: false, all: false }),
      unrevoke: () => unrevokeKeys(services, { ...common, paths: [path] }),
      rollBack: () => rollBackKey(services, { ...common, path, toVersion: Math.max(1, (key?.version ?? 1) - 1) }),
      restore: async () => {
        const [backup] = await this.house.read((tx) =>
          tx
            .selectFrom('backups')
            .select('id')
            .where('key_id', '=', key?.id ?? nobody)
            .orderBy('created_at', 'desc')
            .limit(1)
            .execute(),
        );
        await restoreBackup(services, { ...common, backupId: backup?.id ?? nobody });
      },
    };
    try {
      await act[what]();
    } catch (error) {
      // That it was refused, the model knows as well; anything else is a fault.
      if (!(error instanceof KeyferryError)) throw error;
    }
  }

  /** What there is, in the model's words. */
  async look() {
    const { house } = this;
    const rows = await house.read((tx) =>
      tx
        .selectFrom('keys')
        .select(['local_path', 'state', 'revoked', 'version', 'kept', 'missing_since', 'expires_at'])
        .where('backend_id', '=', this.#backend.id)
        .orderBy('local_path')
        .execute(),
    );
    const keys: Record<string, unknown> = {};
    for (const { local_path, missing_since, expires_at, ...row } of rows)
      keys[local_path] = {
        ...row,
        missing: missing_since !== null,
        expiresAt: expires_at?.getTime() ?? null,
        value: (JSON.parse(await house.value(local_path)) as { value: string }).value,
      };
    const events = await house.read((tx) => listEvents(tx, this.#position, 10_000));
    this.#position = events.at(-1)?.position ?? this.#position;
    const told = events.flatMap(({ type, data }) => {
      if (type === 'deprecation.held') return [type];
      if (type === 'deprecation.settled') return [`${type} ${String(data.state)}`];
      return type.startsWith('keys.') ? (data.paths as string[]).map((path) => `${type} ${path}`) : [];
    });
    return { keys, told: told.sort() };
  }
}

const nobody = '00000000-0000-4000-8000-0000000000ff';
const farAway = new Date(8.64e15);
