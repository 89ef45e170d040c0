import { sql } from 'kysely';

/** `target` with the numbers of `added` added to it, member by member, inside Postgres. */
export function addCounts(target: ReturnType<typeof sql.ref>, added: Record<string, number>) {
  return sql<Record<string, number>>`(
    SELECT coalesce(jsonb_object_agg(name, total), '{}') FROM (
      SELECT name, sum(value::bigint) AS total
      FROM (SELECT * FROM jsonb_each_text(${target}) UNION ALL SELECT * FROM jsonb_each_text(${JSON.stringify(added)}::jsonb))
        AS parts (name, value)
      GROUP BY name) AS sums)`;
}
