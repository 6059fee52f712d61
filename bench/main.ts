import { parseArgs } from 'node:util';
import { benches } from './benches.js';
import { jsonReport, markdownReport, type Report, tableReport } from './report.js';

const usage = 'npm run bench -- [--only NAME]… [--quick] [--json | --markdown]';

const options = {
  only: { type: 'string', multiple: true },
  quick: { type: 'boolean' },
  json: { type: 'boolean' },
  markdown: { type: 'boolean' },
  help: { type: 'boolean' },
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
  const report = reportOf(values);
  report.begin();
  for (const bench of benches) {
    if (values.only !== undefined && !values.only.includes(bench.name)) continue;
    report.bench(bench);
    for (const result of await bench.run({ isQuick: values.quick ?? false })) report.result(result);
  }
  return 0;
};

process.exit(await main());
