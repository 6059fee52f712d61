// The conformance suites, for vitest: `import { sinkConformance } from 'tailrace/kit/conformance'`.
export { SampleHistory } from './sample-history.js';
export { sinkConformance } from './sink-conformance.js';
export type { SinkHarness } from './sink-harness.js';
export { type SourceHarness, sourceConformance } from './source-conformance.js';
