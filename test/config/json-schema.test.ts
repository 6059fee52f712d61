import { readdirSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { pipelineJsonSchema } from '../../config/index.js';
import { builtIn } from '../../src/cli/registry.js';

const folder = new URL('../../config/', import.meta.url);
const schema = pipelineJsonSchema(builtIn);
const check = new Ajv({ strict: false }).compile(schema);
const isValid = (text: string): boolean => check(parse(text));

describe('the JSON Schema of pipeline files', () => {
  it('takes every example, alone and among several', () => {
    const names = readdirSync(new URL('examples/', folder));
    expect(names.length).toBeGreaterThan(2);
    for (const name of names) {
      const document: unknown = parse(readFileSync(new URL(`examples/${name}`, folder), 'utf8'));
      expect([name, check(document), check.errors]).toEqual([name, true, null]);
      expect(check({ pipelines: [document] })).toBe(true);
    }
  });

  it('takes transforms, routes, units and modules, and refuses what is misspelt', () => {
    const text = `name: x
source: { connector: kvrocks, url: redis://h }
transforms: [{ rename: { keys: "a:{id}", to: "b:{id}" } }, { hash: { fields: [a] } }]
routes: [{ keys: [a], to: [file] }]
limits: { creditBytes: 64MiB, batchChanges: "\${N}" }
retry: { max: 30s }
sinks: [{ sink: file, path: x, maxLag: 5 }, { sink: ./mine.mjs, anything: 1, name: y }]
`;
    expect([isValid(text), check.errors]).toEqual([true, null]);
    for (const [good, bad] of [
      ['max: 30s', 'max: soon'],
      ['rename:', 'renam:'],
      ['path: x', 'pth: x'],
      ['fields: [a]', 'fields: []'],
      ['maxLag: 5', 'maxLag: five'],
      ['name: x', 'nam: x'],
    ])
      expect([bad, isValid(text.replace(good, bad))]).toEqual([bad, false]);
  });
});
