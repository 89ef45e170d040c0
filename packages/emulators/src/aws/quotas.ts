import { Quota } from '../http/quota.ts';

/** Requests a second, by operation. */
export type OperationRates = Readonly<Record<string, number>>;

/**
 * What Amazon publishes for an account in a region, and of the security token service. Writes share one limit with
 * each other in part; here each has its own.
 */
const published: OperationRates = {
  ListSecrets: 100,
  BatchGetSecretValue: 100,
  GetSecretValue: 10_000,
  DescribeSecret: 40_000,
  ListSecretVersionIds: 50,
  CreateSecret: 50,
  PutSecretValue: 50,
  DeleteSecret: 50,
  RestoreSecret: 50,
  Encrypt: 10_000,
  Decrypt: 10_000,
  DescribeKey: 2_000,
  AssumeRole: 600,
  AssumeRoleWithWebIdentity: 600,
  GetCallerIdentity: 600,
};

/** Rate limits by operation. None until some are set. */
export class OperationQuotas {
  readonly #now: () => number;
  #quotas = new Map<string, Quota>();

  constructor(now: () => number) {
    this.#now = now;
  }

  set(rates: OperationRates | 'published' | null): void {
    const chosen = rates === 'published' ? published : (rates ?? {});
    this.#quotas = new Map(
      Object.entries(chosen).map(([operation, rate]) => {
        const quota = new Quota(this.#now);
        quota.set({ rate });
        return [operation, quota];
      }),
    );
  }

  /** Counts a request; whether it is one too many. */
  exceeds(operation: string): boolean {
    return (this.#quotas.get(operation)?.refuse() ?? null) !== null;
  }
}
