import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.js';

/** The tests against a real Apache Kvrocks, which a machine has to have: it is in no package (docs/development.md). */
export default mergeConfig(
  base,
  defineConfig({ test: { include: ['test/kvrocks/**/*.test.ts'], exclude: [], fileParallelism: false } }),
);
