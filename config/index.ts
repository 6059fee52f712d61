export { processSurroundings, type Surroundings } from './document.js';
export { pipelineJsonSchema } from './json-schema.js';
export {
  type ChosenSink,
  type Definitions,
  loadPipelines,
  type PipelineConfig,
  type Registry,
  readPipelines,
  requirePipelines,
} from './load.js';
export { pipelineSchema } from './pipeline-schema.js';
export { readPipelineText } from './pipeline-text.js';
export { createSink, createSource, type GivenOptions } from './plugin-options.js';
export { type FilePlace, formatProblem, type Problem } from './problem.js';
export type { PlacedTransform } from './read-transforms.js';
