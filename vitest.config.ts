import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They need a program that is in no package: `npm run test:kvrocks`.
    exclude: ['test/kvrocks/**'],
    globalSetup: ['test/services/vitest-setup.ts'],
    pool: 'forks',
    // Only what hangs is ended by these: how fast a test is depends on the machine, and on what else it does. Longer than
    // what `waitUntil` and the start of a service may take, which say what they waited for.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
