import { atMost, type Bench, type BenchResult, result } from '../harness.js';
import { type Allocator, SpaceManagerAllocator, SpreadingAllocator } from './allocator.js';
import { BitmapBuddy } from './bitmap-buddy.js';
import { Buddy } from './buddy.js';
import { persistenceOf } from './persistence.js';
import { SegregatedLists } from './segregated-lists.js';
import { latencyOf, rateOf, type Scale, speedOf } from './speed.js';
import { capacityFor, type Mode, maxRecordBytes, Workload } from './workload.js';

const mebibyte = 2 ** 20;

/** Failed allocations of a workload and, after it, the share of the space that records take when the first one fails. */
const churn = (
  allocator: Allocator,
  mode: Mode,
  fill: number,
  scale: Scale,
): { failures: number; utilisation: number; records: number } => {
  const { units, unitBytes, operations } = scale;
  const options = { units, unitBytes, mode, fill, seed: 11, driftOperations: operations };
  const workload = new Workload(allocator, options);
  workload.fill();
  workload.run(operations);
  const { failures, records } = workload;
  return { failures, records, utilisation: workload.fillToFailure() * 100 };
};

const utilisation = (scale: Scale, coarse: Scale): BenchResult[] => {
  const maxRun = (of: Scale): number => Math.ceil(maxRecordBytes / of.unitBytes);
  const ours = new SpaceManagerAllocator(scale.units, maxRun(scale));
  const fine = churn(ours, 'wave', 0.99, scale);
  const lists = churn(
    new SegregatedLists(
      coarse.units,
      maxRun(coarse),
      Math.ceil(capacityFor(coarse.units, coarse.unitBytes) * 1.3),
    ),
    'wave',
    0.99,
    coarse,
  );
  const buddy = churn(new BitmapBuddy(coarse.units), 'swap', 0.7, coarse);
  const plainBuddy = churn(new Buddy(coarse.units), 'swap', 0.7, {
    ...coarse,
    operations: coarse.operations / 10,
  });
  const spreading = new SpreadingAllocator(scale.units, maxRun(scale));
  const drift = churn(spreading, 'drift', 0.98, scale);
  const unspread = churn(new SpaceManagerAllocator(scale.units, maxRun(scale)), 'drift', 0.98, scale);
  const kib = (of: Scale): string => `${of.unitBytes / 1024} KiB units`;
  const limit = result(
    `waves to 99 %, share of record bytes, ${kib(scale)}`,
    fine.utilisation,
    '%',
    `the limit of 97.5 %`,
    97.5,
    1,
  );
  return [
    atMost(`waves to 99 %, failed allocations, ${kib(scale)}`, fine.failures, 'of all', 0),
    limit,
    result(limit.name, fine.utilisation, '%', `the 2011 design, ${kib(coarse)}`, lists.utilisation, 1),
    result(limit.name, fine.utilisation, '%', `a buddy system, ${kib(coarse)}`, plainBuddy.utilisation, 1),
    result(limit.name, fine.utilisation, '%', `a bitmap buddy, ${kib(coarse)}`, buddy.utilisation, 1),
    result(
      'sizes drift at 98 %, allocated in up to four runs',
      100 - failedShare(drift.failures, scale),
      '%',
      'in one run',
      100 - failedShare(unspread.failures, scale),
      1,
    ),
  ];
};

/** Failures as a share of the allocations, half of all operations, in %. */
const failedShare = (failures: number, { operations }: Scale): number => (failures / operations) * 200;

const memory = ({ units, unitBytes }: Scale, limitMiB: number): BenchResult[] => {
  const maxRun = Math.ceil(maxRecordBytes / unitBytes);
  const allocator = new SpaceManagerAllocator(units, maxRun);
  const options = { units, unitBytes, mode: 'swap', fill: 0.95, seed: 3 } as const;
  const workload = new Workload(allocator, options);
  workload.fill();
  const name = `memory, ${unitBytes / 1024} KiB units, ${(workload.records / 1e6).toFixed(1)} M records`;
  return [atMost(name, allocator.byteLength / mebibyte, 'MiB', limitMiB)];
};

export const spaceBench: Bench = {
  name: 'space',
  summary: 'the space manager with records of 100 KiB (log-normal, at most 5 MB) in 1 TiB',
  run: async ({ isQuick }) => {
    const shrink = isQuick ? 16 : 1;
    const operations = isQuick ? 1_000_000 : 24_000_000;
    const coarse: Scale = { units: 2 ** 26 / shrink, unitBytes: 16_384, operations };
    const fine: Scale = { units: 2 ** 28 / shrink, unitBytes: 4_096, operations };
    return [
      ...memory(coarse, 10),
      ...memory(fine, 37),
      ...speedOf('swap', coarse),
      ...speedOf('batch', coarse),
      ...speedOf('wave', coarse),
      rateOf('wave', { ...fine, operations: operations / 4 }),
      latencyOf('wave', coarse),
      latencyOf('wave', fine),
      ...utilisation(fine, coarse),
      ...(await persistenceOf(fine)),
    ];
  },
};
