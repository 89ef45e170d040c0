import { KeyferryError, SecretValue } from '@keyferry/core';
import { expect, type TestContext, vi } from 'vitest';
import type { ListScope, PutOptions, VaultBackend, Written } from '../src/index.ts';
import { failureOf, listAll, patient, readOne } from '../test/support.ts';
import { ConformanceContext } from './context.ts';
import { credentialsOf, expectSilence } from './silence.ts';
import type {
  ConformanceTarget,
  ConformanceVault,
  Emulated,
  OpenOptions,
  PutOptions as SeedOptions,
  Settings,
} from './target.ts';

/** Real listings may show what is new only after minutes. */
const listLag = { interval: 5_000, timeout: 6 * 60_000 };

/** What a case has: it tells itself what it can't have, and is skipped with that. */
export class Bench {
  readonly target: ConformanceTarget;
  readonly #test: TestContext;

  constructor(target: ConformanceTarget, test: TestContext) {
    this.target = target;
    this.#test = test;
  }

  readonly skip = (reason: string): never => this.#test.skip(reason);

  /** Skips the case unless the vault has this. */
  needs<Thing>(thing: Thing | undefined | null | false, otherwise: string): Thing {
    return thing || this.skip(otherwise);
  }

  /** An empty vault that ends with the case. */
  async open(options: OpenOptions = {}): Promise<OpenVault> {
    const vault = new OpenVault(this, await this.target.open(options), (end) => this.#test.onTestFinished(end));
    this.#test.onTestFinished(() => vault.close());
    // Neither the clock nor the certificate of a real vault can be chosen.
    if (Object.keys(options).length > 0) this.needs(vault.emulated, 'needs an emulator');
    return vault;
  }

  /** Skips the case for a vault that is only read. */
  async openWritable(): Promise<OpenVault> {
    if (!this.target.capabilities.write) this.skip('this vault is not written to');
    return this.open();
  }
}

/** One vault of a case, with what the cases do to it. */
export class OpenVault {
  readonly settings: Settings;
  readonly #bench: Bench;
  readonly #vault: ConformanceVault;
  readonly #onEnd: (end: () => Promise<void>) => void;
  readonly #secrets = new Set<string>();
  #writer: Promise<VaultBackend> | null = null;
  #closing: PromiseLike<void> | null = null;
  #used = 0;

  constructor(bench: Bench, vault: ConformanceVault, onEnd: (end: () => Promise<void>) => void) {
    this.#bench = bench;
    this.#vault = vault;
    this.#onEnd = onEnd;
    this.settings = vault.settings;
  }

  /** What the emulator can be told. A case on a real vault ends here, skipped. */
  get emulated(): Emulated {
    return this.#bench.needs(this.#vault.emulated, 'needs an emulator');
  }

  /** A path of the vault's own. */
  readonly at = (name: string): string => this.#vault.prefix + name;

  /** The folder that holds all of it. */
  get folder(): string {
    return this.#vault.prefix;
  }

  scope(parts: Partial<ListScope> = {}): Partial<ListScope> {
    return { folders: [this.folder], ...parts };
  }

  /** A path that no case has used yet. */
  readonly unused = (): string => {
    this.#used += 1;
    return this.at(`unused/${this.#used}`);
  };

  readonly value = (text: string): SecretValue => new SecretValue(this.#bench.target.value(text));

  context(parallelism?: number): ConformanceContext {
    const { definition } = this.#bench.target;
    const config = definition.configSchema.parse(this.settings);
    return new ConformanceContext(definition.files?.(config) ?? [], parallelism);
  }

  /** A backend that ends with the case. */
  async connect(settings: Settings = this.settings, context = this.context()): Promise<VaultBackend> {
    for (const credential of credentialsOf(settings)) this.#secrets.add(credential);
    const { definition } = this.#bench.target;
    const backend = await definition.connect(definition.configSchema.parse(settings), context);
    this.#onEnd(() => backend.close());
    return backend;
  }

  /** Writes behind the back of all backends; to a real vault, through one of its own. */
  async write(path: string, text: string, options: SeedOptions = {}): Promise<void> {
    if (this.#vault.emulated) {
      this.#vault.emulated.put(path, this.#bench.target.value(text), options);
      return;
    }
    this.#writer ??= this.connect();
    const { metadata } = options;
    const writer = await this.#writer;
    await put(writer, path, this.value(text), metadata && { metadata });
    await vi.waitFor(async () => expect(await this.paths(writer)).toContain(path), listLag);
  }

  /** What a promise rejects with: an error of ours, with a class, that tells nothing secret. */
  async failure(promise: Promise<unknown>): Promise<KeyferryError> {
    const error = await failureOf(promise);
    expectSilence(error, this.#secrets);
    expect(error).toBeInstanceOf(KeyferryError);
    expect(error.failureClass, `the class of ${error.code}`).toBeDefined();
    return error;
  }

  /** The failure of each, in the same order. */
  failures(promises: readonly Promise<unknown>[]): Promise<KeyferryError[]> {
    return Promise.all(promises.map((promise) => this.failure(promise)));
  }

  /** Ends the vault before its case does. */
  async close(): Promise<void> {
    this.#closing ??= this.#vault[Symbol.asyncDispose]();
    await this.#closing;
  }

  /** The listing shows these and no others; that of a real vault may take a while to. */
  async listsExactly(backend: VaultBackend, paths: readonly string[]): Promise<void> {
    const sorted = [...paths].sort();
    if (this.#vault.emulated) return expect(await this.paths(backend)).toEqual(sorted);
    await vi.waitFor(async () => expect(await this.paths(backend)).toEqual(sorted), listLag);
  }

  async paths(backend: VaultBackend, parts: Partial<ListScope> = {}): Promise<string[]> {
    return (await listAll(backend, this.scope(parts))).map(({ path }) => path);
  }
}

/** Writes as a caller would, with a key of its own. */
export function put(
  backend: VaultBackend,
  path: string,
  value: SecretValue,
  options: Partial<PutOptions> = {},
): Promise<Written> {
  return backend.put(path, value, { idempotencyKey: crypto.randomUUID(), ...options }, patient);
}

/** The bytes of the current value. */
export async function bytesOf(backend: VaultBackend, path: string): Promise<Buffer> {
  return (await readOne(backend, path)).value.reveal();
}

/** A case: its name is a sentence, and by that name a target can say why it can't be had. */
export type Cases = Readonly<Record<string, (bench: Bench) => Promise<void>>>;

/** Whether cases that take long are wanted. */
export const full = process.env.KEYFERRY_TEST_FULL === '1';
