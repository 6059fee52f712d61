// The conformance suites, for vitest: `import { sinkConformance } from 'tailrace/kit/conformance'`.
export { SampleHistory } from './sample-history.js';
export { type SinkHarness, sinkConformance } from './sink-conformance.js';
export { type SourceHarness, sourceConformance } from './source-conformance.js';
