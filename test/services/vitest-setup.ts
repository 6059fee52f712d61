import { ensurePrograms } from './tools.js';

/** Runs once before all tests: what they spawn by name is there, or fetched, or named in a clear error. */
export default (): void => ensurePrograms(['redis-server', 'redis-cli', 'redis-benchmark', 'ldb']);
