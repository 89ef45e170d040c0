import { describeListed, type ListedSecret } from './describe.ts';
import { newSuffix, type Secret } from './secret.ts';

/** The secrets of one account in one region. */
export class SecretStore {
  readonly account: string;
  readonly region: string;
  readonly #now: () => number;
  readonly #byName = new Map<string, Secret>();
  readonly #byArn = new Map<string, Secret>();
  /** In the order in which they were made; those that are gone since are skipped. */
  #order: Secret[] = [];
  #sequence = 0;
  #frozen: ListedSecret[] | null = null;

  constructor(account: string, region: string, now: () => number) {
    this.account = account;
    this.region = region;
    this.#now = now;
  }

  /** An ARN as policies see it where there is no secret. */
  arnOf(name: string): string {
    return `arn:aws:secretsmanager:${this.region}:${this.account}:secret:${name}`;
  }

  /** A secret without versions. */
  create(name: string): Secret {
    const now = this.#now();
    return this.restore({
      name,
      arn: `${this.arnOf(name)}-${newSuffix()}`,
      sequence: this.#sequence + 1,
      description: null,
      kmsKeyId: null,
      undecryptable: false,
      createdAt: now,
      changedAt: now,
      deletesAt: null,
      tags: new Map(),
      versions: new Map(),
    });
  }

  /** Puts back what `all` gave before a restart, in the same order. */
  restore(secret: Secret): Secret {
    this.#sequence = secret.sequence;
    this.#byName.set(secret.name, secret);
    this.#byArn.set(secret.arn, secret);
    this.#order.push(secret);
    return secret;
  }

  /** By name, ARN, or an ARN without its last six characters. One whose recovery window is over is gone. */
  find(id: string): Secret | undefined {
    const prefix = this.arnOf('');
    const name = id.startsWith(prefix) ? id.slice(prefix.length) : id;
    const secret = this.#byArn.get(id) ?? this.#byName.get(name);
    return secret !== undefined && this.#isGone(secret) ? undefined : secret;
  }

  /** Removes it for good. */
  destroy(secret: Secret): void {
    this.#byName.delete(secret.name);
    this.#byArn.delete(secret.arn);
    if (this.#order.length > 2 * this.#byName.size + 100)
      this.#order = this.#order.filter(({ arn }) => this.#byArn.has(arn));
  }

  /** What there is, in the order of a listing. */
  all(): Secret[] {
    return this.#order.filter((secret) => this.#byArn.has(secret.arn) && !this.#isGone(secret));
  }

  /** What listings show from here on, one after the other. */
  *listed(afterSequence: number): Iterable<ListedSecret> {
    if (this.#frozen !== null) {
      yield* this.#frozen.slice(firstAfter(this.#frozen, afterSequence));
      return;
    }
    for (let index = firstAfter(this.#order, afterSequence); index < this.#order.length; index++) {
      const secret = this.#order[index];
      if (secret !== undefined && this.#byArn.has(secret.arn) && !this.#isGone(secret)) yield describeListed(secret);
    }
  }

  /** Listings go on showing what there is now, whatever becomes of it. */
  freezeListing(): void {
    this.#frozen = this.all().map(describeListed);
  }

  thawListing(): void {
    this.#frozen = null;
  }

  #isGone(secret: Secret): boolean {
    if (secret.deletesAt === null || this.#now() < secret.deletesAt) return false;
    this.destroy(secret);
    return true;
  }
}

/** The first index beyond a sequence number, in what is sorted by it. */
function firstAfter(sorted: readonly { sequence: number }[], sequence: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.sequence ?? 0) <= sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}
