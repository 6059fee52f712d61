export { type HeapDump, HeapProfiler, type HeapProfilerOptions } from './heap-profiler.js';
export type { HeapStack, HeapSummary, MemoryOwners } from './heap-summary.js';
