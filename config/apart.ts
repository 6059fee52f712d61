import { resolve } from 'node:path';
import type { PipelineConfig } from './load.js';
import { formatProblem, type Problem } from './problem.js';

/** Positions are kept under the name of a pipeline, so two may not have the same. */
export const requireUniqueNames = (pipelines: readonly PipelineConfig[], problems: Problem[]): void => {
  const seen = new Map<string, string>();
  for (const { name, file, place } of pipelines) {
    const other = seen.get(name);
    if (other !== undefined && name)
      problems.push({
        file,
        ...place,
        path: 'name',
        message: `the name ${JSON.stringify(name)} is taken by another pipeline in ${other}`,
      });
    seen.set(name, file);
  }
};

/** No two sinks may write to what each needs to itself, such as a file; those that take dead letters among them. */
export const requireSoleTargets = (pipelines: readonly PipelineConfig[], problems: Problem[]): void => {
  const taken = new Map<string, string>();
  const faulty = new Set(problems.flatMap(({ file, path }) => placesAround(file, path)));
  for (const { sinks, deadLetterSink } of pipelines)
    for (const { definition, options, place } of [...sinks, ...(deadLetterSink ? [deadLetterSink] : [])]) {
      if (faulty.has(placeKey(place.file, place.path))) continue;
      const target = definition.soleTarget?.(options);
      if (target === undefined) continue;
      const key = `${definition.name} ${target}`;
      const other = taken.get(key);
      if (other === undefined) taken.set(key, formatProblem({ ...place, message: '' }).replace(/: $/, ''));
      else
        problems.push({
          ...place,
          message: `writes to the same place as the ${definition.name} sink at ${other}: give each a place of its own`,
        });
    }
  for (const { errors, deadLetters, deadLetterSink, lettersPlace } of pipelines) {
    const areKept = [errors.poison, errors.undecodable].includes('dead-letter');
    if (!areKept || deadLetterSink !== undefined || deadLetters.url !== '') continue;
    const other = taken.get(`file ${resolve(deadLetters.path)}`);
    if (other !== undefined)
      problems.push({
        ...lettersPlace,
        message: `is what the file sink at ${other} writes to: give each a place of its own`,
      });
  }
};

/** Whole batches that go to the server that they come from are written for ever: each is a new batch there. */
export const requireOtherServer = (pipelines: readonly PipelineConfig[], problems: Problem[]): void => {
  for (const { source, sinks } of pipelines) {
    const read = source?.name === 'kvrocks' ? serverOf(source.options) : undefined;
    for (const { definition, options, place } of read === undefined ? [] : sinks)
      if (definition.name === 'kvrocks' && serverOf(options) === read)
        problems.push({ ...place, message: 'writes to the server that the source reads: name another one' });
  }
};

/** `host:port`; undefined of an address of no use, which has been told. */
const serverOf = (options: unknown): string | undefined => {
  const url = typeof options === 'object' && options !== null && 'url' in options ? options.url : undefined;
  if (typeof url !== 'string' || !URL.canParse(url)) return undefined;
  const { hostname, port } = new URL(url);
  return `${hostname === 'localhost' ? '127.0.0.1' : hostname}:${port || '6379'}`;
};

/** A part of a file, and all that it stands in: of `sinks[0].url` also `sinks[0]` and `sinks`. */
const placesAround = (file: string, path: string): string[] =>
  [...path.matchAll(/[.[]|$/g)].map(({ index }) => placeKey(file, path.slice(0, index)));

const placeKey = (file: string, path: string): string => JSON.stringify([file, path]);
