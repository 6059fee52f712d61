import type { SourceDefinition } from '../../src/kit/index.js';
import { EngineSource } from './engine-source.js';
import { borrowEngine } from './open-engines.js';

export { EngineSource } from './engine-source.js';

export interface EngineSourceOptions {
  /** Directory of the store. */
  readonly path: string;
}

export const engineSource: SourceDefinition<EngineSourceOptions> = {
  name: 'engine',
  summary: 'an embedded store in this process',
  schema: {
    path: {
      doc: 'directory of the store; this process becomes its writer',
      format: 'required-string',
      default: '',
    },
  },
  create: ({ path }) => new EngineSource(() => borrowEngine(path)),
};
