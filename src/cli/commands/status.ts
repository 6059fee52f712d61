import process from 'node:process';
import type { AdminStatus } from '../../admin/index.js';
import { TailraceError } from '../../errors/index.js';
import { formatBytes, formatCount, formatTable, type OutputOptions } from '../console.js';
import { ExitCode } from '../exit.js';

/** Shows the pipelines of a running process. Exits 1 when one of them, or a sink, is not running. */
export const statusCommand = async (address: string, output: OutputOptions): Promise<void> => {
  const status = await askStatus(address);
  if (output.isJson) process.stdout.write(`${JSON.stringify(status)}\n`);
  else process.stdout.write(`${textOf(status)}\n`);
  const isWhole = status.pipelines.every(
    ({ state, sinks }) => state === 'running' && sinks.every((sink) => sink.state === 'running'),
  );
  if (!isWhole) process.exitCode = ExitCode.Failed;
};

const askStatus = async (address: string): Promise<AdminStatus> => {
  const url = /^https?:\/\//.test(address) ? address : `http://${address}`;
  try {
    const response = await fetch(new URL('/status', url), { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    return (await response.json()) as AdminStatus;
  } catch (cause) {
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    throw new TailraceError(
      'ADMIN_UNREACHABLE',
      `no status from ${url}: ${inner instanceof Error ? inner.message : String(inner)}`,
      {
        remedy:
          'Set admin.listen in the pipeline file, or `tailrace run --admin host:port`, and name that address.',
        cause,
      },
    );
  }
};

const textOf = ({ version, pid, uptimeMs, memoryBytes, pipelines }: AdminStatus): string => {
  const rows = pipelines.flatMap(({ name, state, sinks }) =>
    sinks.map((sink) => [
      name,
      state,
      sink.name,
      sink.state,
      sink.guarantee,
      sink.position?.sequence ?? '-',
      formatCount(sink.lag),
      `${(sink.lagMs / 1000).toFixed(1)} s`,
      formatCount(sink.writtenChanges),
      formatCount(sink.retries),
    ]),
  );
  const troubles = pipelines.flatMap(({ name, sinks }) =>
    sinks.flatMap((sink) => {
      const held = sink.oldestWaiting;
      if (sink.error !== null) return [`${name} ${sink.name}: ${sink.error}`];
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
    ...troubles,
  ].join('\n');
};
