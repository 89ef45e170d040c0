import { AsyncLocalStorage } from 'node:async_hooks';
import { KeyferryError } from '@keyferry/core';
import { CompiledQuery, type Driver, Kysely, PostgresDialect, PostgresDriver, type Transaction } from 'kysely';
import pg from 'pg';
import { isId } from './id-or-name.ts';
import type { Database } from './schema.ts';

export type Tx = Transaction<Database>;

/** The one tenant of an installation that has not made any other. */
export const defaultTenantId = '00000000-0000-4000-8000-000000000001';

export interface Store {
  /** For the functions that work across tenants and for tables without one. Tables of tenants look empty here. */
  readonly global: Kysely<Database>;
  /**
   * Runs `work` in a transaction that sees this tenant and no other. A deadlock or serialisation failure is tried again
   * from the start, so `work` changes nothing outside the transaction.
   */
  inTenant<T>(tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T>;
  /** The same for an operator's work: it sees which tenants there are, and nothing that is theirs. */
  asOperator<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface StoreOptions {
  connectionString: string;
  /** Shown in pg_stat_activity. */
  applicationName?: string;
  maxConnections?: number;
  /** Told of idle connections that broke; the pool replaces them by itself. */
  onError?: (error: Error) => void;
}

const transientSqlStates = new Set(['40001', '40P01']);
const maxTransactionTries = 4;
/** In place of a tenant's id. */
const operator = 'operator';
/** Node's and Postgres' words for "nobody there": refused, reset, gone, starting up, shutting down, too many clients. */
const unavailableCodes = /^(ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|08|57P|53300)/;

/** A host that vanishes in the middle of a transaction must not hold its locks for hours. */
const lostPeerSettings = [
  'idle_in_transaction_session_timeout=60s',
  'tcp_keepalives_idle=30',
  'tcp_keepalives_interval=10',
  'tcp_keepalives_count=3',
];

/** Opens a pool whose connections act as the application role, whatever role has logged in. Connects lazily. */
export function openStore(options: StoreOptions): Store {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    application_name: options.applicationName ?? 'keyferry',
    max: options.maxConnections ?? 10,
    connectionTimeoutMillis: 10_000,
    // Set at connection time, so that it is also what RESET ROLE returns to.
    options: ['role=keyferry_app', 'search_path=keyferry', ...lostPeerSettings]
      .map((setting) => `-c ${setting}`)
      .join(' '),
    types: { getTypeParser: typeParser },
  });
  const report = (error: Error) => options.onError?.(error);
  pool.on('error', report);
  // While a connection is in use the pool doesn't listen to it, and an error nobody listens to would end the process.
  pool.on('connect', (client) => client.on('error', report));
  const tenants = new AsyncLocalStorage<string>();
  const global = new Kysely<Database>({ dialect: new TenantDialect(pool, tenants) });

  async function transaction<T>(whose: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await tenants.run(whose, () => global.transaction().execute(work));
      } catch (error) {
        if (attempt < maxTransactionTries && transientSqlStates.has(codeOf(error))) continue;
        throw asStoreError(error);
      }
    }
  }

  return {
    global,
    inTenant: transaction,
    asOperator: (work) => transaction(operator, work),
    close: () => global.destroy(),
  };
}

/** A transaction begins as its tenant in one round trip: a shard's work has three, and some twenty round trips in all. */
class TenantDialect extends PostgresDialect {
  readonly #pool: pg.Pool;
  readonly #tenants: AsyncLocalStorage<string>;

  constructor(pool: pg.Pool, tenants: AsyncLocalStorage<string>) {
    super({ pool });
    this.#pool = pool;
    this.#tenants = tenants;
  }

  override createDriver(): Driver {
    return new TenantDriver(this.#pool, this.#tenants);
  }
}

class TenantDriver extends PostgresDriver {
  readonly #tenants: AsyncLocalStorage<string>;

  constructor(pool: pg.Pool, tenants: AsyncLocalStorage<string>) {
    super({ pool });
    this.#tenants = tenants;
  }

  override async beginTransaction(connection: Parameters<PostgresDriver['rollbackTransaction']>[0]): Promise<void> {
    const tenantId = this.#tenants.getStore();
    if (tenantId === undefined) return await super.beginTransaction(connection, {});
    // Two statements in one message take no parameters.
    if (tenantId !== operator && !isId(tenantId)) throw new Error('A tenant is named by its UUID.');
    const setting = tenantId === operator ? `keyferry.operator = 'on'` : `keyferry.tenant = '${tenantId}'`;
    try {
      await connection.executeQuery(CompiledQuery.raw(`BEGIN; SET LOCAL ${setting}`));
    } catch (error) {
      // The first of the two may have been done: whoever has the connection next must not be in that transaction.
      await this.rollbackTransaction(connection).catch(() => {});
      throw error;
    }
  }
}

/** Connection trouble in the words of the catalogue; anything else as it is. */
export function asStoreError(error: unknown): unknown {
  // What our own code says may quote anything.
  if (error instanceof KeyferryError) return error;
  const message = error instanceof Error ? error.message : '';
  if (
    unavailableCodes.test(codeOf(error)) ||
    /Connection terminated|connection timeout|timeout exceeded/i.test(message)
  )
    return new KeyferryError('database_unavailable', 'The database did not answer.');
  if (codeOf(error) === '42501' && message.includes('role'))
    return new KeyferryError('database_role_unsafe', 'The database user may not act as keyferry_app.');
  if (['3F000', '42P01', '22023'].includes(codeOf(error)))
    return new KeyferryError('database_outdated', 'The database does not have Keyferry’s tables and roles yet.');
  return error;
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

const int8 = 20;

// Counters and sequence numbers stay far below 2^53.
function typeParser(oid: number, format?: 'text' | 'binary') {
  return oid === int8 ? Number : pg.types.getTypeParser(oid, format as 'text');
}
