import { fetchKafka, kafkaVersions } from './kafka-service.js';
import { ensurePrograms } from './tools.js';

/**
 * Runs once before all tests: what they spawn by name is there, or fetched, or named in a clear error. Here, because
 * test files run side by side and would fetch the same at the same time.
 */
export default (): void => {
  ensurePrograms(['redis-server', 'redis-cli', 'redis-benchmark', 'ldb']);
  try {
    ensurePrograms(['postgres', 'initdb', 'java']);
    for (const version of kafkaVersions) fetchKafka(version);
  } catch (error) {
    // The tests that need it will say so themselves; the others can do without.
    console.error(error instanceof Error ? error.message : error);
  }
};
