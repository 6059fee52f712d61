import { resolve } from 'node:path';
import process from 'node:process';
import { type PipelineConfig, requirePipelines } from '../../../config/index.js';
import { isTailraceError, messageOf } from '../../errors/index.js';
import { requireWritable } from '../../files/index.js';
import {
  type Finding,
  type Logger,
  orGivenUp,
  type PluginContext,
  type Position,
  type Sink,
  withDeadline,
} from '../../kit/index.js';
import { consoleLogger, counted, formatTable, type OutputOptions } from '../console.js';
import { ExitCode } from '../exit.js';
import { historyFindings } from '../history-findings.js';
import { registryFor } from '../load-plugins.js';
import { openDeadLetters } from '../open-dead-letters.js';
import { openOffsets } from '../open-offsets.js';
import { redactText } from '../redact.js';
import { assemble, makeSink, makeSource } from '../run-pipelines.js';

interface PlacedFinding extends Finding {
  readonly pipeline: string;
  /** `source`, the name of a sink, `offsets` … */
  readonly part: string;
}

/**
 * Looks whether pipelines would run: their files, and the source, the sinks and the stores of each, without claiming or
 * changing anything. Exits 1 when something fails.
 */
export const doctorCommand = async (files: readonly string[], output: OutputOptions): Promise<void> => {
  const configs = requirePipelines(files, await registryFor(files));
  const log = consoleLogger({ ...output, logLevel: 'error' });
  const findings = (await Promise.all(configs.map((config) => examine(config, log)))).flat();
  if (output.isJson) process.stdout.write(`${JSON.stringify(findings)}\n`);
  else process.stdout.write(`${textOf(findings)}\n`);
  if (hasFailed(findings)) process.exitCode = ExitCode.Failed;
};

const examine = async (config: PipelineConfig, log: Logger): Promise<PlacedFinding[]> => {
  const placed = async (part: string, look: () => Promise<readonly Finding[]>): Promise<PlacedFinding[]> =>
    (await look().catch((error: unknown): Finding[] => [failure(error)])).map((finding) => ({
      pipeline: config.name,
      part,
      ...finding,
      detail: redactText(finding.detail),
    }));
  const context = { pipeline: config.name, log };
  const sinks = config.sinks.map((chosen) => ({
    name: chosen.name,
    made: makeSink(chosen, { ...context, sink: chosen.name }),
  }));
  const source = placed('source', async () => {
    await using source = makeSource(config.source, context);
    return await looked((signal) => source.check?.(signal));
  });
  const parts = [
    placed('file', () => fileFindings(config, log)),
    source,
    ...sinks.map(({ name, made }) =>
      placed(name, async () => {
        await using sink = await made;
        const findings = await looked((signal) => sink.check?.(signal));
        // What cannot be reached has been told already.
        if (hasFailed(findings) || hasFailed(await source)) return findings;
        return [...findings, ...(await historyOf(config, name, sink, context))];
      }),
    ),
  ];
  const made = await Promise.allSettled(sinks.map((sink) => sink.made));
  const someHoldNone = made.some((sink) => sink.status === 'fulfilled' && !sink.value.holdsPosition);
  const { offsets, errors, deadLetterSink } = config;
  if (offsets.store !== 'file' || someHoldNone) parts.push(placed('offsets', () => offsetsFindings(config)));
  if (deadLetterSink !== undefined)
    parts.push(
      placed('dead letters', async () => {
        await using sink = await deadLetterSink.definition.create(deadLetterSink.options, context);
        return await looked((signal) => sink.check?.(signal));
      }),
    );
  else if (errors.poison === 'dead-letter' || errors.undecodable === 'dead-letter')
    parts.push(placed('dead letters', () => letterFindings(config, log)));
  return (await Promise.all(parts)).flat();
};

/** Whether it can be assembled, and what each sink then guarantees. */
const fileFindings = async (config: PipelineConfig, log: Logger): Promise<readonly Finding[]> => {
  await using assembled = await assemble(config, log);
  const { sinks } = assembled.pipeline.status();
  const guarantees = sinks.map(({ name, guarantee }) => `${name}: ${guarantee}`);
  return [{ name: 'guarantee', status: 'ok', detail: guarantees.join(', ') }];
};

const offsetsFindings = async ({ name, offsets }: PipelineConfig): Promise<readonly Finding[]> => {
  if (offsets.store === 'file') requireWritable(resolve(offsets.path));
  await using store = openOffsets(offsets);
  const stored = await store.list(name);
  const detail = `${offsets.store}, ${counted(stored.length, 'position')} of this pipeline`;
  return [{ name: 'positions', status: 'ok', detail }];
};

const letterFindings = async (config: PipelineConfig, log: Logger): Promise<readonly Finding[]> => {
  await using target = await openDeadLetters(config, log);
  const letters = (await target.list()).filter(({ pipeline }) => pipeline === config.name);
  if (letters.length === 0) return [{ name: 'letters', status: 'ok', detail: 'none' }];
  const detail = `${counted(letters.length, 'letter')} not settled`;
  return [{ name: 'letters', status: 'warn', detail, remedy: 'See `tailrace dead-letters list`.' }];
};

/** Whether the source goes on where a sink stands. */
const historyOf = (
  config: PipelineConfig,
  name: string,
  sink: Sink,
  context: PluginContext,
): Promise<readonly Finding[]> =>
  looked(async (signal) => {
    const position = await positionOf(config, name, sink, signal);
    return position === undefined ? [] : await historyFindings(config, position, context, signal);
  });

/** undefined of a sink that holds its position and does not tell it. */
const positionOf = async (
  { name: pipeline, offsets }: PipelineConfig,
  name: string,
  sink: Sink,
  signal: AbortSignal,
): Promise<Position | null | undefined> => {
  if (sink.holdsPosition) return await sink.readPosition?.(signal);
  await using store = openOffsets(offsets);
  return await store.load(pipeline, name);
};

const hasFailed = (findings: readonly Finding[]): boolean => findings.some(({ status }) => status === 'fail');

/** What the part says of itself, within a time. */
const looked = async (
  check: (signal: AbortSignal) => Promise<readonly Finding[]> | undefined,
): Promise<readonly Finding[]> => {
  const found = await withDeadline(checkTimeoutMs, [], (signal) =>
    orGivenUp(Promise.resolve(check(signal)), signal),
  );
  return found ?? [{ name: 'check', status: 'warn', detail: 'it does not say whether it would work' }];
};

const failure = (error: unknown): Finding => {
  const detail = messageOf(error);
  return {
    name: 'check',
    status: 'fail',
    detail,
    ...(isTailraceError(error) ? { remedy: error.remedy } : {}),
  };
};

const textOf = (findings: readonly PlacedFinding[]): string => {
  const table = formatTable(
    ['', 'PIPELINE', 'PART', 'WHAT', 'FOUND'],
    findings.map(({ status, pipeline, part, name, detail }) => [status, pipeline, part, name, detail]),
  );
  const remedies = findings.flatMap(({ status, part, remedy }) =>
    status === 'ok' || remedy === undefined ? [] : [`${part}: ${remedy}`],
  );
  return [table, ...new Set(remedies)].join('\n');
};

const checkTimeoutMs = 15_000;
