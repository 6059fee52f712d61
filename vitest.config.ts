import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/services/vitest-setup.ts'],
    pool: 'forks',
    // Only what hangs is ended by these: how fast a test is depends on the machine, and on what else it does.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
