// Prints what a vitest JSON report counted as the closing line of a check run, what failed and was skipped by name before it.
// The second parameter is the exit status of the run that the report is of.
import { readFileSync } from 'node:fs';

const [path, status] = process.argv.slice(2);
const report = JSON.parse(readFileSync(path, 'utf8'));
const named = (file) => file.name.replace(`${process.cwd()}/`, '');
let failed = 0;
let skipped = 0;
for (const file of report.testResults) {
  const broken = file.assertionResults.filter((test) => test.status === 'failed');
  for (const { fullName } of broken) console.log(`failed: ${named(file)}: ${fullName}`);
  failed += broken.length;
  if (file.status === 'failed' && broken.length === 0) {
    // It cannot be loaded, or what is done before its tests fails: they do not count as skipped.
    console.log(`failed: ${named(file)}: the file as a whole`);
    failed++;
    continue;
  }
  const left = file.assertionResults.filter((test) => !['passed', 'failed'].includes(test.status));
  for (const { fullName } of left) console.log(`skipped: ${named(file)}: ${fullName}`);
  skipped += left.length;
}
if (status !== '0' && failed === 0) {
  console.log('failed: an error outside of every test, see above');
  failed++;
}
console.log(`${report.numPassedTests} passed, ${failed} failed`);
if (skipped > 0 && process.env.CI === 'true') {
  console.log('tests were skipped, which CI does not allow');
  process.exit(1);
}
