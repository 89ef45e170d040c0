import { createDatabase } from '@keyferry/testing/support/database.ts';
import { expect, test } from 'vitest';
import { appendEvents, defaultTenantId, openStore } from '../src/index.ts';

test('events of a backend that is not there are an error, and not lost', async () => {
  const database = await createDatabase();
  const store = openStore({ connectionString: database.url });
  const nobody = '22222222-2222-4222-8222-222222222222';
  const event = { type: 'keys.created' as const, data: { paths: ['p/a'] } };
  const append = store.inTenant(defaultTenantId, (tx) => appendEvents(tx, nobody, [event], new Date()));
  await expect(append).rejects.toThrow('not there');
  await store.close();
  await database.drop();
});
