import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They need a program that is in no package: `npm run test:kvrocks`.
    exclude: ['test/kvrocks/**'],
    globalSetup: ['test/services/vitest-setup.ts'],
    pool: 'forks',
    // Only what hangs is ended by these: how fast a test is depends on the machine, and on what else it does.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
