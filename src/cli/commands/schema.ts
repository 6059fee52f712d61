import process from 'node:process';
import { pipelineJsonSchema } from '../../../config/index.js';
import { builtIn } from '../registry.js';

/** Prints the JSON Schema of pipeline files; the package has it as `config/pipeline.schema.json`. */
export const printSchema = (): void => {
  process.stdout.write(`${JSON.stringify(pipelineJsonSchema(builtIn), null, 2)}\n`);
};
