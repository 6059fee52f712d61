export { type HeapDump, HeapProfiler, type HeapProfilerOptions } from './heap-profiler.js';
export type { HeapSummary, MemoryOwners } from './heap-summary.js';
