import { asAdmin } from './test-postgres.ts';

/** Every column of every row of every table of ours, as text. */
export async function everyColumn(connectionString: string): Promise<string> {
  return await asAdmin(connectionString, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'keyferry'",
    );
    if (tables.length <= 10) throw new Error('The tables were not found.');
    const contents: string[] = [];
    for (const { name } of tables) {
      const { rows } = await client.query<{ text: string }>(`SELECT t::text AS text FROM ${name} AS t`);
      contents.push(...rows.map((row) => row.text));
    }
    return contents.join('\n');
  });
}

/** A text as it would look in plain, in hexadecimal and in base64 at any of its three alignments. */
export function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const aligned = [0, 1, 2].map((skip) =>
    bytes.subarray(skip + 3, 3 + skip + Math.floor((bytes.length - skip - 6) / 3) * 3),
  );
  return [secret, bytes.toString('hex'), ...aligned.map((part) => part.toString('base64'))];
}
