import process from 'node:process';
import { atMost, type BenchResult, result } from '../harness.js';
import { type Allocator, NoAllocator, SpaceManagerAllocator } from './allocator.js';
import { SegregatedLists } from './segregated-lists.js';
import { capacityFor, type Mode, maxRecordBytes, Workload } from './workload.js';

/** Ratios to reach against the 2011 design. */
const targets = { swap: 0.85, batch: 1.8, wave: 2 } as const;

export interface Scale {
  readonly units: number;
  readonly unitBytes: number;
  readonly operations: number;
}

/**
 * Allocations and frees in a second of CPU time at 95 % fill, the workload's own cost taken off, ours and the 2011
 * design's in short alternating slices of one process, so that a busy machine hits both alike.
 *
 * All slices count: in `batch` and `wave` a slice is mostly of frees or mostly of allocations, which do not cost the
 * same, and leaving out the dearest and cheapest slices moved the ratio by up to a tenth, whatever the allocators did.
 * How long a slice is hardly matters then: `batch` in slices of 125,000, 380,000 (one whole cycle) and 1,500,000
 * operations gave 1.84, 1.84 and 1.91. Each slice begins with caches that the others have filled, which costs the smaller
 * state more; so short slices, if anything, favour the 2011 design.
 */
export const speedOf = (mode: keyof typeof targets, scale: Scale): BenchResult[] => {
  const { units, unitBytes, operations } = scale;
  const maxRun = Math.ceil(maxRecordBytes / unitBytes);
  const allocators: readonly Allocator[] = [
    new SpaceManagerAllocator(units, maxRun),
    new SegregatedLists(units, maxRun, Math.ceil(capacityFor(units, unitBytes) * 1.3)),
    new NoAllocator(),
  ];
  const workloads = allocators.map((allocator) => {
    const workload = new Workload(allocator, { units, unitBytes, mode, fill: 0.95, seed: 99 });
    workload.fill();
    return workload;
  });
  const slice = Math.min(sliceOperations, operations / 10);
  const times: number[][] = workloads.map(() => []);
  for (const workload of workloads) workload.run(4 * slice);
  for (let done = 0; done < operations; done += slice)
    for (const [i, workload] of workloads.entries()) times[i].push(cpuSeconds(() => workload.run(slice)));
  const [ours = 0, theirs = 0, none = 0] = times.map(mean);
  const rate = (time: number): number => slice / (time - none) / 1e6;
  const failures = workloads.reduce((total, workload) => total + workload.failures, 0);
  return [
    result(
      `${mode}, allocations and frees`,
      rate(ours),
      'M op/s',
      'the 2011 design',
      rate(theirs),
      targets[mode],
    ),
    result(`${mode}, allocations and frees`, rate(ours), 'M op/s', leastRateName, leastRate, 1),
    atMost(`${mode}, failed allocations`, failures, 'of all', 0),
    memoryAgainst(`${mode}, memory`, allocators[0], allocators[1]),
  ];
};

/** Ours alone, against the rate that is asked of it. */
export const rateOf = (mode: Mode, { units, unitBytes, operations }: Scale): BenchResult => {
  const maxRun = Math.ceil(maxRecordBytes / unitBytes);
  const times = [new SpaceManagerAllocator(units, maxRun), new NoAllocator()].map((allocator) => {
    const workload = new Workload(allocator, { units, unitBytes, mode, fill: 0.95, seed: 99 });
    workload.fill();
    workload.run(operations / 10);
    return cpuSeconds(() => workload.run(operations));
  });
  const [ours = 0, none = 0] = times;
  const rate = operations / (ours - none) / 1e6;
  const name = `${mode}, allocations and frees, ${unitBytes / 1024} KiB units`;
  return result(name, rate, 'M op/s', leastRateName, leastRate, 1);
};

/** Millions of operations a second. */
const leastRate = 2;
const leastRateName = `the limit of ${leastRate} M op/s`;

/** The 99th percentile of the time of one operation, the clock's own cost included. */
export const latencyOf = (mode: Mode, scale: Scale): BenchResult => {
  const { units, unitBytes } = scale;
  const allocator = new SpaceManagerAllocator(units, Math.ceil(maxRecordBytes / unitBytes));
  const workload = new Workload(allocator, { units, unitBytes, mode, fill: 0.95, seed: 5 });
  workload.fill();
  const times = new Float64Array(Math.min(1_000_000, scale.operations));
  workload.run(times.length);
  for (let i = 0; i < times.length; i++) {
    const before = performance.now();
    workload.step();
    times[i] = performance.now() - before;
  }
  times.sort();
  const name = `${mode}, 99th percentile of one, ${unitBytes / 1024} KiB units`;
  return atMost(name, times[Math.floor(times.length * 0.99)] * 1000, 'µs', 2);
};

const memoryAgainst = (name: string, ours: Allocator, theirs: Allocator): BenchResult => {
  const [a, b] = [ours.byteLength / 2 ** 20, theirs.byteLength / 2 ** 20];
  return { ...result(name, a, 'MiB', theirs.name, b, 10), ratio: b / a, met: b / a >= 10 };
};

/** CPU time of `work`: unlike the clock's, it does not count what other processes do meanwhile. */
export const cpuSeconds = (work: () => void): number => {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
};

const sliceOperations = 250_000;

const mean = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0) / values.length;
