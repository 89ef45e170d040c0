import pg from 'pg';
import { asAdmin } from './test-postgres.ts';

/** The tables that have tenants, as the catalogue knows them. */
export async function tenantTables(ownerUrl: string): Promise<string[]> {
  return await asAdmin(ownerUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
       WHERE c.relnamespace = 'keyferry'::regnamespace AND c.relkind = 'r' AND NOT a.attisdropped ORDER BY c.relname`,
    );
    return rows.map(({ name }) => name);
  });
}

export interface TenantRows {
  /** Of each table all rows of the tenant as one text, and the tenant's own row. */
  dump(): Promise<Record<string, string>>;
  close(): Promise<void>;
}

/** Every row of a tenant, as the database's owner sees it. */
export async function rowsOfTenant(ownerUrl: string, tenantId: string): Promise<TenantRows> {
  const tables = await tenantTables(ownerUrl);
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  const rowsOf = (name: string, column: string) =>
    `SELECT '${name}' AS name, string_agg(t::text, E'\\n' ORDER BY t::text) AS rows FROM keyferry.${name} t WHERE ${column} = $1`;
  const text = [...tables.map((name) => rowsOf(name, 'tenant_id')), rowsOf('tenants', 'id')].join(' UNION ALL ');
  return {
    async dump() {
      const { rows } = await client.query<{ name: string; rows: string | null }>(text, [tenantId]);
      return Object.fromEntries(rows.map(({ name, rows: all }) => [name, all ?? '']));
    },
    close: () => client.end(),
  };
}
