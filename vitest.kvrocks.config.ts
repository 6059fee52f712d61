import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

/** The tests against a real Apache Kvrocks, which a machine has to have: it is in no package (docs/development.md). */
export default defineConfig({
  test: {
    ...base.test,
    include: ['test/kvrocks/**/*.test.ts'],
    exclude: ['node_modules/**'],
    fileParallelism: false,
  },
});
