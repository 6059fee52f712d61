import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

const schema = JSON.parse(
  readFileSync(new URL('../../docs/change-event.schema.json', import.meta.url), 'utf8'),
) as object;
const validate = new Ajv2020({ allErrors: false, allowUnionTypes: true }).compile(schema);

/** What is wrong with a line of change events by the published schema; undefined when it is valid. */
export const faultOfEvent = (line: string): string | undefined =>
  validate(JSON.parse(line)) ? undefined : `${JSON.stringify(validate.errors)} in ${line.slice(0, 500)}`;
