// Brings what is missing for `npm test` and the like. Plain JavaScript: it runs under Node 20 with nothing installed.

import { setUp } from './setup/set-up.mjs';

await setUp({ redis: !process.env.KEYFERRY_TEST_REDIS_URL });
