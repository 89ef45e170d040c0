// `npm run schema`: whether packages/store/schema.sql is what the migrations make. With `-- --write` it is made anew.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '@keyferry/embedded';
import { migrate } from '@keyferry/store';
import pg from 'pg';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { dumpSchema } from './dump.ts';

const file = fileURLToPath(new URL('../../packages/store/schema.sql', import.meta.url));
const heading = `-- What the migrations make, for reading and for review. Written by \`npm run schema -- --write\`, never by hand.\n\n`;

const made = heading + (await migratedSchema());
if (process.argv.includes('--write')) {
  writeFileSync(file, made);
} else {
  const difference = firstDifference(readFileSync(file, 'utf8'), made);
  if (difference !== null) {
    process.stderr.write(
      `packages/store/schema.sql is not what the migrations make, from line ${difference.line} on:\n` +
        `- ${difference.committed}\n+ ${difference.made}\n` +
        'Run `npm run schema -- --write` and look at what changed.\n',
    );
    process.exitCode = 1;
  }
}

async function migratedSchema(): Promise<string> {
  await using cleanup = new AsyncDisposableStack();
  const folder = temporaryFolder('schema');
  cleanup.defer(folder.remove);
  const postgres = await startPostgres({ dataDir: folder.path, durable: false });
  cleanup.defer(() => rmSync(postgres.directory, { recursive: true, force: true }));
  cleanup.defer(postgres.stop);
  await migrate({ connectionString: postgres.url });
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  cleanup.defer(() => client.end());
  return await dumpSchema(client);
}

function firstDifference(committed: string, made: string) {
  const [before, after] = [committed.split('\n'), made.split('\n')];
  const index = Array.from({ length: Math.max(before.length, after.length) }).findIndex(
    (_, at) => before[at] !== after[at],
  );
  if (index < 0) return null;
  return { line: index + 1, committed: before[index] ?? '(end)', made: after[index] ?? '(end)' };
}
