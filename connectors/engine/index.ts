import type { SourceDefinition } from '../../src/kit/index.js';
import { checkStore } from './check.js';
import { EngineSource } from './engine-source.js';
import { borrowEngine } from './open-engines.js';

export { EngineSource } from './engine-source.js';

/** Settings of the source `engine`. */
export interface EngineSourceOptions {
  /** Directory of the store. */
  readonly path: string;
  /** Name of the slot for which the store keeps its log; empty = the pipeline's name. */
  readonly slot: string;
}

/** The source `engine`, as pipeline files name it. */
export const engineSource: SourceDefinition<EngineSourceOptions> = {
  name: 'engine',
  summary: 'an embedded store in this process',
  schema: {
    path: {
      doc: 'directory of the store; this process becomes its writer',
      format: 'required-string',
      default: '',
    },
    slot: {
      doc: "name of the slot for which the store keeps its log; empty = the pipeline's name",
      format: String,
      default: '',
    },
  },
  create: ({ path, slot: given }, { pipeline, log }) => {
    const slot = given || pipeline.replace(/[^\x21-\x7e]/g, '-');
    return new EngineSource(() => borrowEngine(path, log), { slot, check: () => checkStore(path, { slot }) });
  },
};
