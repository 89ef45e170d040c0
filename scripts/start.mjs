// `npm start`. Plain JavaScript: it runs under Node 20 with nothing installed.

import { launch } from '../apps/cli/bin/launch.mjs';
import { setUp } from './setup/set-up.mjs';

await setUp({ redis: !process.env.REDIS_URL });
launch(['up', ...process.argv.slice(2)]);
