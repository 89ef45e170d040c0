import fc from 'fast-check';
import { expect } from 'vitest';
import type { Model, Settings, Trouble } from './model.ts';
import type { System } from './system.ts';

/** What vaults, people and time can do, to the model and to the product alike; after each step both have to agree. */

const paths = ['bifrost/a/1', 'bifrost/a/2', 'bifrost/a/3', 'bifrost/a/4', 'bifrost/b/1', 'bifrost/b/2'] as const;

let values = 0;

type Act = { name: string; model: (model: Model) => void; system: (system: System, model: Model) => Promise<void> };

class Step implements fc.AsyncCommand<Model, System> {
  readonly #act: Act;

  constructor(act: Act) {
    this.#act = act;
  }

  check = () => true;

  async run(model: Model, system: System): Promise<void> {
    // Nothing happens in the same moment as anything before.
    this.#pass(model, system, 1);
    this.#act.model(model);
    await this.#act.system(system, model);
    const { keys, told } = await system.look();
    expect({ keys, told }).toEqual({ keys: shown(model), told: model.told.splice(0).sort() });
  }

  #pass(model: Model, system: System, seconds: number): void {
    system.house.clock.advance(seconds);
    model.now = system.house.clock.now().getTime();
  }

  toString = () => this.#act.name;
}

function shown(model: Model) {
  return Object.fromEntries(
    [...model.keys].map(([path, key]) => [
      path,
      {
        state: key.state,
        revoked: key.revoked,
        version: key.version,
        kept: key.kept,
        missing: key.missing,
        expiresAt: key.expiresAt,
        value: key.value,
      },
    ]),
  );
}

function put(path: string, good: boolean, ttl: number | null): Act {
  const value = `${good ? 'good' : 'bad'}-${++values}`;
  return {
    name: `put ${path} ${value}${ttl === null ? '' : ` for ${ttl} s`}`,
    model: (model) => {
      const expiresAt = ttl === null ? null : model.now + ttl * 1000;
      const revision = ++values;
      model.secrets.set(path, { value, revision, deleted: false, expiresAt, createdAt: model.now });
    },
    system: async (system, model) => {
      const expiresAt = model.secrets.get(path)?.expiresAt ?? null;
      const customMetadata: Record<string, string> =
        expiresAt === null ? {} : { expires_at: new Date(expiresAt).toISOString() };
      system.secrets.put(path, { value }, { customMetadata });
    },
  };
}

/** The same value, written once more. */
const rewrite = (path: string): Act => ({
  name: `rewrite ${path}`,
  model: (model) => {
    const secret = model.secrets.get(path);
    if (secret && !secret.deleted) Object.assign(secret, { revision: ++values, createdAt: model.now });
  },
  system: async (system, model) => {
    const secret = model.secrets.get(path);
    if (secret && !secret.deleted) system.secrets.put(path, { value: secret.value });
  },
});

const destroy = (path: string): Act => ({
  name: `destroy ${path}`,
  model: (model) => void model.secrets.delete(path),
  system: async (system) => system.secrets.deleteMetadata(path),
});

const softDelete = (path: string): Act => ({
  name: `delete ${path}`,
  model: (model) => {
    const secret = model.secrets.get(path);
    if (secret) secret.deleted = true;
  },
  system: async (system) => {
    if (system.secrets.get(path)) system.secrets.delete(path);
  },
});

const cycle = (trouble: Trouble, twice: boolean): Act => ({
  name: `cycle ${trouble.kind}${trouble.kind === 'unreadable' ? ` ${trouble.path}` : ''}${twice ? ' twice' : ''}`,
  model: (model) => model.cycle(trouble),
  system: async (system) => void (await system.cycle(trouble, twice)),
});

const sweep: Act = {
  name: 'sweep',
  model: (model) => model.sweep(),
  system: async (system) => void (await system.house.sweep()),
};

const pass = (seconds: number): Act => ({
  name: `pass ${seconds} s`,
  model: () => {},
  system: async (system, model) => {
    system.house.clock.advance(seconds);
    model.now = system.house.clock.now().getTime();
  },
});

const change = (settings: Partial<Settings>): Act => ({
  name: `change ${JSON.stringify(settings)}`,
  model: (model) => {
    model.settings = { ...model.settings, ...settings };
    model.reckoned = false;
  },
  system: async (system, model) => await system.change(model.settings),
});

const decide = (verdict: 'approved' | 'rejected'): Act => ({
  name: `hold ${verdict}`,
  model: (model) => {
    const waits = model.holds.some(({ state }) => state === 'open');
    model.decide(verdict);
    if (waits && verdict === 'approved') model.cycle({ kind: 'none' });
  },
  system: async (system) => {
    await system.decide(verdict);
    if (verdict === 'approved') await system.finish();
  },
});

type Deed = 'revoke' | 'unrevoke' | 'rollBack' | 'restore';

/** What a person does to one key; what can't be done is refused, and changes nothing. */
const deed = (what: Deed, path: string): Act => ({
  name: `${what} ${path}`,
  model: (model) => model[what](path),
  system: async (system) => await system.person(what, path),
});

const hour = 3600;
const day = 24 * hour;
const anyPath = fc.constantFrom(...paths);
const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Trouble>({ kind: 'none' }) },
  { weight: 1, arbitrary: fc.constant<Trouble>({ kind: 'sealed' }) },
  { weight: 1, arbitrary: fc.constant<Trouble>({ kind: 'listing' }) },
  { weight: 2, arbitrary: anyPath.map((path): Trouble => ({ kind: 'unreadable', path })) },
);

const changes = fc.oneof(
  fc.boolean().map((autoDeprecate) => ({ autoDeprecate })),
  fc.constantFrom(hour, day, 8 * day).map((grace) => ({ grace })),
  fc.constantFrom(hour, 2 * day, 90 * day).map((retention) => ({ retention })),
  fc.boolean().map((narrowed) => ({ narrowed })),
);

const deeds = fc.constantFrom<Deed>('revoke', 'unrevoke', 'unrevoke', 'rollBack', 'rollBack', 'restore', 'restore');

const lifetime = fc.option(fc.constantFrom(1, hour, 3 * day, 40 * day, 40 * day), { freq: 2 });

/** Mostly what goes well, so that keys get old; enough of the rest. */
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(anyPath, lifetime).map(([path, ttl]) => put(path, true, ttl)) },
  { weight: 1, arbitrary: anyPath.map((path) => put(path, false, null)) },
  { weight: 2, arbitrary: anyPath.map(rewrite) },
  { weight: 4, arbitrary: anyPath.map(destroy) },
  { weight: 2, arbitrary: anyPath.map(softDelete) },
  { weight: 14, arbitrary: fc.tuple(trouble, fc.boolean()).map(([kind, twice]) => cycle(kind, twice)) },
  { weight: 8, arbitrary: fc.constant(sweep) },
  {
    weight: 6,
    arbitrary: fc.constantFrom(60, hour, 5 * hour, 5 * hour, day, day, 8 * day, 40 * day, 91 * day).map(pass),
  },
  { weight: 2, arbitrary: changes.map(change) },
  { weight: 6, arbitrary: fc.tuple(deeds, anyPath).map(([what, path]) => deed(what, path)) },
  { weight: 3, arbitrary: fc.constantFrom('approved' as const, 'rejected' as const).map(decide) },
);

/** Begins with keys in all folders. */
const beginning = [...paths.map((path) => put(path, true, null)), cycle({ kind: 'none' }, false)];

const stepsOfALife = 50;

export const lives = fc
  .array(act, { minLength: stepsOfALife, maxLength: stepsOfALife, size: 'max' })
  .map((acts) => [...beginning, ...acts].map((one) => new Step(one)));
