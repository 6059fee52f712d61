import { once } from 'node:events';
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import type { AdminStatus } from '../../admin/index.js';
import { TailraceError } from '../../errors/index.js';
import { counted, formatBytes, formatCount, formatTable, type OutputOptions } from '../console.js';
import { inOneLine } from '../control-characters.js';
import { ExitCode } from '../exit.js';

/** Shows the pipelines of a running process. Exits 1 when one of them, its source or a sink, is not as it should be. */
export const statusCommand = async (address: string, output: OutputOptions): Promise<void> => {
  const status = await askStatus(address);
  if (output.isJson) process.stdout.write(`${JSON.stringify(status)}\n`);
  else process.stdout.write(`${textOf(status)}\n`);
  const isWhole = status.pipelines.every(
    ({ state, sourceTrouble, sinks }) =>
      state === 'running' && !sourceTrouble && sinks.every((sink) => sink.state === 'running'),
  );
  if (!isWhole) process.exitCode = ExitCode.Failed;
};

const askStatus = async (address: string): Promise<AdminStatus> => {
  const place = /^:?\d{1,5}$/.test(address) ? `127.0.0.1:${address.replace(':', '')}` : address;
  const url = /^https?:\/\//.test(place) ? place : `http://${place}`;
  if (!URL.canParse('/status', url))
    throw new TailraceError('USAGE', `${address} is no address`, {
      remedy: 'Write host:port, such as 127.0.0.1:9464, or a port alone.',
    });
  try {
    return JSON.parse(await get(new URL('/status', url))) as AdminStatus;
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? 'it answers no JSON' : reasonOf(cause);
    throw new TailraceError('ADMIN_UNREACHABLE', `no status from ${url}: ${reason}`, {
      remedy:
        'Set admin.listen in the pipeline file, or `tailrace run --admin host:port`, and name that address.',
      cause,
    });
  }
};

/** Not by `fetch`, which refuses ports that a browser must not talk to, 6666 among them. */
const get = async (url: URL): Promise<string> => {
  const request = (url.protocol === 'https:' ? requestTls : requestPlain)(url, {
    signal: AbortSignal.timeout(answerTimeoutMs),
  });
  request.end();
  const [response]: IncomingMessage[] = await once(request, 'response');
  if (response.statusCode !== 200) {
    response.destroy();
    throw new Error(`it answers ${response.statusCode}`);
  }
  return await text(response);
};

/** A name with several addresses fails with one error for each, and says nothing itself. */
const reasonOf = (cause: unknown): string => {
  const error: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  if (!(error instanceof Error)) return String(error);
  return error.name === 'AbortError' ? `no answer within ${answerTimeoutMs / 1000} s` : error.message;
};

const answerTimeoutMs = 10_000;

const textOf = ({ version, pid, uptimeMs, memoryBytes, pipelines }: AdminStatus): string => {
  const rows = pipelines.flatMap(({ name, state, sinks }) =>
    sinks.map((sink) => [
      name,
      state,
      sink.name,
      sink.state,
      sink.guarantee,
      sink.position?.sequence ?? '-',
      sink.lag === null ? '-' : formatCount(sink.lag),
      sink.lagMs === null ? '-' : `${(sink.lagMs / 1000).toFixed(1)} s`,
      formatCount(sink.writtenChanges),
      formatCount(sink.retries),
    ]),
  );
  const failures = pipelines.flatMap(({ name, error, sinks }) =>
    error === null || sinks.some((sink) => sink.error === error) ? [] : [`${name}: ${error}`],
  );
  const sources = pipelines.flatMap(({ name, sourceTrouble: trouble }) =>
    trouble
      ? [`${name}: source not reached for ${(trouble.forMs / 1000).toFixed(0)} s: ${trouble.reason}`]
      : [],
  );
  const troubles = pipelines.flatMap(({ name, sinks }) =>
    sinks.flatMap((sink) => {
      const { oldestWaiting: held, trouble } = sink;
      if (trouble !== null)
        return [
          `${name} ${sink.name}: tried again for ${(trouble.forMs / 1000).toFixed(0)} s: ${trouble.reason}`,
        ];
      if (sink.error !== null) return [`${name} ${sink.name}: ${sink.error}`];
      if (sink.state === 'starting' && sink.snapshotKeys !== null)
        return [`${name} ${sink.name}: is given a snapshot, ${counted(sink.snapshotKeys, 'key')} so far`];
      return held !== null && held.forMs > 2_000
        ? [
            `${name} ${sink.name}: holds sequence number ${held.sequence} since ${(held.forMs / 1000).toFixed(0)} s`,
          ]
        : [];
    }),
  );
  return [
    `tailrace ${version}, process ${pid}, up ${Math.round(uptimeMs / 1000)} s, ${formatBytes(memoryBytes)} resident`,
    formatTable(
      [
        'PIPELINE',
        'STATE',
        'SINK',
        'STATE',
        'GUARANTEE',
        'POSITION',
        'LAG',
        'BEHIND',
        'DELIVERED',
        'RETRIES',
      ],
      rows,
    ),
    ...[...failures, ...sources, ...troubles].map(inOneLine),
  ].join('\n');
};
