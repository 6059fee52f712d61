import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RespConnection } from '../src/resp/index.js';
import { alternate, type Bench, result } from './harness.js';
import { startServe } from './serve.js';
import { benchmark } from './server.js';

/** CPU time that a process has used, in clock ticks. */
const ticksOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
};

export const heapProfilerBench: Bench = {
  name: 'heap-profiler',
  summary: 'SET and GET of a server with KPROFILE MEMORY on and off in turn, by its own CPU time',
  run: async ({ isQuick }) => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
    const serve = await startServe(directory);
    const connection = await RespConnection.open({ host: '127.0.0.1', port: serve.port });
    const pid = Number(/process_id:(\d+)/.exec(String(await connection.call('INFO', 'server')))?.[1]);
    const requests = isQuick ? 100_000 : 500_000;
    try {
      const results = [];
      for (const test of ['set', 'get']) {
        const perTick = (action: string) => async (): Promise<number> => {
          await connection.call('KPROFILE', 'MEMORY', action);
          const before = ticksOf(pid);
          benchmark(serve.port, test, 16, requests);
          return requests / (ticksOf(pid) - before);
        };
        benchmark(serve.port, test, 16, requests); // warm
        const [on = 0, off = 0] = await alternate(isQuick ? 1 : 9, [perTick('ENABLE'), perTick('DISABLE')]);
        results.push(result(`${test} with profiling on`, on, 'ops/10 ms CPU', 'off', off, 0.95));
      }
      return results;
    } finally {
      connection.close();
      await serve.stop();
      rmSync(directory, { recursive: true });
    }
  },
};
