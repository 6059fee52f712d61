import { benches } from './benches.js';

// npm run bench -- [--only NAME] [--quick] [--json]
const args = process.argv.slice(2);
const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined;
const isJson = args.includes('--json');
const isQuick = args.includes('--quick');
const chosen = benches.filter(({ name }) => only === undefined || name === only);
if (chosen.length === 0 || args.includes('--help')) {
  console.log('npm run bench -- [--only NAME] [--quick] [--json]\n');
  for (const { name, summary } of benches) console.log(`  ${name.padEnd(14)} ${summary}`);
  process.exit(args.includes('--help') ? 0 : 2);
}
const format = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
for (const bench of chosen) {
  if (!isJson) console.log(`\n${bench.name}: ${bench.summary}`);
  for (const result of await bench.run({ isQuick })) {
    if (isJson) console.log(JSON.stringify(result));
    else
      console.log(
        `  ${result.name.padEnd(44)} ${format(result.value).padStart(11)} ${result.unit.padEnd(12)} ${result.ratio.toFixed(2).padStart(6)}x of ${result.peer} (${format(result.peerValue)}), target ${result.target}: ${result.met ? 'met' : 'MISSED'}`,
      );
  }
}
process.exit(0);
