import { defineConfig } from 'vitest/config';

const full = process.env.KEYFERRY_TEST_FULL === '1';

export default defineConfig({
  test: {
    include: ['packages/*/{test,conformance}/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // Long ones: `npm run test:full`.
    exclude: ['**/node_modules/**', ...(full ? [] : ['**/*.full.test.ts'])],
    globalSetup: ['test/support/global-setup.ts'],
    // A process a file: tests start servers and workers, and some kill them.
    pool: 'forks',
    maxWorkers: 2,
    // Generous, so that a slow machine fails nothing; no test waits for time to pass.
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
});
