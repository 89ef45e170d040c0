import { KeyferryError } from '@keyferry/core';
import type { Command } from 'commander';
import { addCommand, type Host } from '../command.ts';
import { homeOf, type Running, readHomeFile } from '../home.ts';

export function migrateCommand(program: Command, host: Host): void {
  addCommand(program, host, {
    usage: 'migrate',
    summary: 'bring the database of DATABASE_OWNER_URL or DATABASE_URL to this version’s schema',
    example: 'migrate',
    async run({ output, env }) {
      const { migrateDatabase, ownersDatabase } = await import('../services/database.ts');
      const running = readHomeFile<Running>(homeOf(env).running);
      const place = ownersDatabase(env) ?? (running && { url: running.database_url, variable: 'DATABASE_URL' });
      if (!place) throw new KeyferryError('usage_invalid', 'Neither DATABASE_OWNER_URL nor DATABASE_URL is set.');
      const applied = await migrateDatabase(place);
      output.answer({ applied }, () =>
        applied.length > 0 ? `Applied ${applied.join(', ')}.` : 'The database is up to date.',
      );
    },
  });
}
