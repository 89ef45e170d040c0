import { prune } from '@keyferry/pipeline';
import { beginRequest } from '@keyferry/store';
import { expect, test } from 'vitest';
import { openHouse } from '../support/house.ts';

test('what was answered to a request with an Idempotency-Key is kept for a day', async () => {
  const house = await openHouse();
  const name = { tenantId: house.tenantId, actor: 'somebody', keyHash: Buffer.alloc(32) };
  const begin = () => house.read((tx) => beginRequest(tx, name, Buffer.alloc(32), house.clock.now()));
  expect(await begin()).toMatchObject({ begun: true });
  house.clock.advance(23 * 3600);
  await prune(house.services);
  expect(await begin()).toMatchObject({ begun: false });
  house.clock.advance(2 * 3600);
  await prune(house.services);
  expect(await begin()).toMatchObject({ begun: true });
  await house.close();
});
