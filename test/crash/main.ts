import { parseArgs } from 'node:util';
import { SeededRandom } from '../support/seeded-random.js';
import { crash } from './crash-run.js';
import { runMigrations } from './migration-main.js';
import { crashTargets } from './targets/index.js';

// npm run crash -- [--sink NAME,…] [--kills N] [--seed S]
// npm run crash -- --migrate [--kills N] [--seed S]
const { values } = parseArgs({
  options: {
    sink: { type: 'string', default: [...crashTargets.keys()].join(',') },
    migrate: { type: 'boolean', default: false },
    kills: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 0x1_0000_0000)) },
  },
});
if (values.migrate) {
  await runMigrations(Number(values.kills), Number(values.seed));
  process.exit();
}
const names = values.sink.split(',');
const starts = names.map((name) => crashTargets.get(name));
if (starts.includes(undefined) || !(Number(values.kills) > 0)) {
  console.error(
    `npm run crash -- --sink NAME,… --kills N --seed S; sinks: ${[...crashTargets.keys()].join(', ')}`,
  );
  process.exit(2);
}
console.log(`sinks ${values.sink}, ${values.kills} kills of the runner, seed ${values.seed}`);
const targets = [];
for (const start of starts) if (start !== undefined) targets.push(await start());
const show = (tally: object): string =>
  Object.entries(tally)
    .map(([what, times]) => `${what} ${times}`)
    .join('  ');
let told = 0;
try {
  const { tally, commands } = await crash(
    targets,
    Number(values.kills),
    new SeededRandom(Number(values.seed)),
    (soFar) => {
      if (process.stdout.isTTY) process.stdout.write(`\r${show(soFar)} `);
      else if (soFar.run > told && soFar.run % 100 === 0) console.log(show(soFar));
      told = soFar.run;
    },
  );
  console.log(`${process.stdout.isTTY ? '\n' : ''}${show(tally)}; ${commands} commands acknowledged`);
  console.log('every target holds exactly what the source holds: nothing twice, nothing missing');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  for (const target of targets) await target[Symbol.asyncDispose]();
}
