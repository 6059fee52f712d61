import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { benches } from './benches.js';
import type { Bench } from './harness.js';
import { jsonReport, markdownReport, type Report, tableReport } from './report.js';

const usage = 'npm run bench -- [--only NAME]… [--quick] [--keys COUNT] [--json | --markdown]';

const options = {
  only: { type: 'string', multiple: true },
  quick: { type: 'boolean' },
  keys: { type: 'string' },
  json: { type: 'boolean' },
  markdown: { type: 'boolean' },
  help: { type: 'boolean' },
  /** Given to the processes of single benchmarks: no head. */
  continued: { type: 'boolean' },
} as const;

const help = (): void => {
  console.log(`${usage}\n`);
  for (const { name, summary } of benches) console.log(`  ${name.padEnd(14)} ${summary}`);
};

const reportOf = (values: { json?: boolean; markdown?: boolean }): Report =>
  values.json ? jsonReport : values.markdown ? markdownReport : tableReport;

const main = async (): Promise<number> => {
  let values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return 2;
  }
  if (values.help) {
    help();
    return 0;
  }
  const unknown = values.only?.find((wanted) => !benches.some(({ name }) => name === wanted));
  if (unknown !== undefined) {
    console.error(`There is no benchmark ${unknown}.\n`);
    help();
    return 2;
  }
  const keys = values.keys === undefined ? undefined : Number(values.keys);
  if (keys !== undefined && !(Number.isInteger(keys) && keys > 0)) {
    console.error(`${values.keys} is no count of keys.\n${usage}`);
    return 2;
  }
  const report = reportOf(values);
  if (!values.continued) report.begin();
  const chosen = benches.filter(({ name }) => values.only === undefined || values.only.includes(name));
  if (chosen.length > 1) return runApart(chosen);
  for (const bench of chosen) {
    report.bench(bench);
    for (const result of await bench.run({ isQuick: values.quick ?? false, keys })) report.result(result);
  }
  return 0;
};

/** Each in a process of its own, so that none inherits the memory and the threads of those before it. */
const runApart = (chosen: readonly Bench[]): number => {
  const flags = process.argv.slice(2).filter((flag) => ['--quick', '--json', '--markdown'].includes(flag));
  for (const { name } of chosen) {
    const parameters = [...process.argv.slice(1, 2), '--only', name, '--continued', ...flags];
    const { status } = spawnSync(process.execPath, parameters, { stdio: 'inherit' });
    if (status !== 0) return status ?? 1;
  }
  return 0;
};

process.exit(await main());
