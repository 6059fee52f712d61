// Prints what a vitest JSON report counted, skipped tests by name, as the closing line of a check run.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const skipped = report.testResults
  .flatMap((file) => file.assertionResults)
  .filter((test) => test.status !== 'passed' && test.status !== 'failed');
for (const test of skipped) console.log(`skipped: ${test.fullName}`);
console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed`);
if (skipped.length > 0 && process.env.CI === 'true') {
  console.log('tests were skipped, which CI does not allow');
  process.exit(1);
}
