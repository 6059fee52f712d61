import { changeOps, changeTypes } from '../src/kit/index.js';
import { longestTimerMs } from './formats.js';
import type { Registry } from './load.js';
import { pipelineSchema, sinkSchema } from './pipeline-schema.js';
import { isLeaf, type SchemaLeaf, type SchemaSection } from './section.js';
import { routeSchema, transformSchemas } from './transform-schema.js';

/** By name, since an object with a literal `then` looks like a promise. */
const thenKeyword = 'then';

type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * The JSON Schema of pipeline files, for editors: completion, descriptions, and a first check. It is made of the same
 * schemas as the check of `tailrace validate`, which knows more.
 */
export const pipelineJsonSchema = ({ sources, sinks }: Registry): JsonSchema => {
  const transforms = {
    type: 'array',
    items: {
      type: 'object',
      minProperties: 1,
      maxProperties: 1,
      additionalProperties: false,
      properties: mapValues(transformSchemas, (section) => sectionSchema(section as SchemaSection)),
    },
  };
  const ofSink = {
    ...propertiesOf(sinkSchema as unknown as SchemaSection),
    transforms: { $ref: '#/$defs/transforms' },
  };
  const pipeline = {
    type: 'object',
    required: ['name', 'source', 'sinks'],
    additionalProperties: false,
    properties: {
      ...propertiesOf(pipelineSchema as unknown as SchemaSection),
      source: chosenSchema('connector', [...sources.values()], {}),
      sinks: { type: 'array', minItems: 1, items: chosenSchema('sink', [...sinks.values()], ofSink) },
      transforms: { $ref: '#/$defs/transforms' },
      routes: { type: 'array', items: sectionSchema(routeSchema as SchemaSection) },
    },
  };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'tailrace pipeline file',
    $defs: { transforms, pipeline },
    // Not anyOf: an editor then tells what is wrong with the one that is meant.
    if: { required: ['pipelines'] },
    [thenKeyword]: {
      type: 'object',
      additionalProperties: false,
      properties: { pipelines: { type: 'array', items: { $ref: '#/$defs/pipeline' } } },
    },
    else: { $ref: '#/$defs/pipeline' },
  };
};

interface Definition {
  readonly name: string;
  readonly summary: string;
  readonly schema: object;
}

/** A map with the name of a definition under `word` and that definition's options; any other name may be a module. */
const chosenSchema = (
  word: string,
  definitions: readonly Definition[],
  common: Readonly<Record<string, unknown>>,
): JsonSchema => {
  const names = definitions.map(({ name }) => name);
  return {
    type: 'object',
    required: [word],
    properties: {
      [word]: {
        anyOf: [
          ...definitions.map(({ name, summary }) => ({ const: name, description: summary })),
          { type: 'string', not: { enum: names }, description: 'path of a module, or name of a package' },
        ],
      },
    },
    allOf: definitions.map(({ name, schema }) => ({
      if: { properties: { [word]: { const: name } } },
      [thenKeyword]: {
        additionalProperties: false,
        properties: { [word]: {}, ...propertiesOf(schema as SchemaSection), ...common },
      },
    })),
  };
};

const sectionSchema = (section: SchemaSection): JsonSchema => ({
  type: 'object',
  additionalProperties: false,
  properties: propertiesOf(section),
});

const propertiesOf = (section: SchemaSection): Readonly<Record<string, JsonSchema>> =>
  mapValues(section, (entry) => (isLeaf(entry) ? leafSchema(entry) : sectionSchema(entry)));

const leafSchema = ({ doc, format, default: fallback, sensitive }: SchemaLeaf): JsonSchema => {
  const isShown =
    sensitive !== true && fallback !== '' && !(Array.isArray(fallback) && fallback.length === 0);
  return {
    ...(doc === undefined ? {} : { description: doc }),
    ...typeOf(format, fallback),
    ...(isShown ? { default: fallback } : {}),
  };
};

/** Where something else than text is wanted, `${NAME}` may stand for it. */
const typeOf = (format: unknown, fallback: unknown): JsonSchema => {
  const orFilledIn = (...schemas: JsonSchema[]): JsonSchema => ({
    anyOf: [...schemas, { type: 'string', pattern: '\\$\\{' }],
  });
  if (Array.isArray(format)) return orFilledIn({ enum: format });
  const texts = { type: 'array', items: { type: 'string' } };
  switch (format) {
    case String:
      return { type: 'string' };
    case Boolean:
      return orFilledIn({ type: 'boolean' });
    case 'required-string':
      return { type: 'string', minLength: 1 };
    case 'listen-address':
      return { type: 'string', pattern: '^$|\\$\\{|^(.+:)?\\d{1,5}$' };
    case 'redis-url':
      return { type: 'string', pattern: '^rediss?://|\\$\\{' };
    case 'positive-integer':
      return orFilledIn({ type: 'integer', minimum: 1 });
    case 'whole-number':
      return orFilledIn({ type: 'integer', minimum: 0 });
    case 'age':
      return orFilledIn({ type: 'number', minimum: 0 }, { type: 'string', pattern: timeText });
    case 'duration':
      return orFilledIn(
        { type: 'number', minimum: 0, maximum: longestTimerMs },
        { type: 'string', pattern: timeText },
      );
    case 'timeout':
      return orFilledIn(
        { type: 'number', exclusiveMinimum: 0, maximum: longestTimerMs },
        { type: 'string', pattern: timeText },
      );
    case 'byte-size':
      return orFilledIn({ type: 'integer', minimum: 1 }, { type: 'string', pattern: sizeText });
    case 'byte-limit':
      return orFilledIn({ type: 'integer', minimum: 0 }, { type: 'string', pattern: sizeText });
    case 'string-list':
      return texts;
    case 'type-list':
      return { type: 'array', items: { enum: changeTypes } };
    case 'op-list':
      return { type: 'array', items: { enum: changeOps } };
    case 'filled-list':
      return { ...texts, minItems: 1 };
    case 'string-map':
      return { type: 'object', additionalProperties: { type: 'string' } };
    case 'map':
      return { type: 'object' };
    default:
      return formOf(fallback);
  }
};

/** Of a setting with a check of its own as much is known as its default tells. */
const formOf = (fallback: unknown): JsonSchema => {
  if (Array.isArray(fallback)) return { type: 'array' };
  if (typeof fallback === 'string') return { type: 'string' };
  return typeof fallback === 'object' && fallback !== null ? { type: 'object' } : {};
};

const timeText = '^\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)$';
const sizeText = '^\\d+(\\.\\d+)?\\s*([kKmMgG][iI]?)?[bB]$';

const mapValues = <From, To>(
  record: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
