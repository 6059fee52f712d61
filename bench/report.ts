import { cpus, totalmem } from 'node:os';
import type { Bench, BenchResult } from './harness.js';

/** How the figures are written down. */
export interface Report {
  begin(): void;
  bench(bench: Bench): void;
  result(result: BenchResult): void;
}

export const tableReport: Report = {
  begin: () => undefined,
  bench: ({ name, summary }) => console.log(`\n${name}: ${summary}`),
  result: (result) =>
    console.log(
      `  ${result.name.padEnd(44)} ${figure(result.value).padStart(11)} ${result.unit.padEnd(12)} ${result.ratio.toFixed(2).padStart(6)}x of ${result.peer} (${figure(result.peerValue)}), target ${Number(result.target.toFixed(2))}: ${verdict(result)}`,
    ),
};

/** One JSON object a line. */
export const jsonReport: Report = {
  begin: () => undefined,
  bench: () => undefined,
  result: (result) => console.log(JSON.stringify(result)),
};

/** The page docs/benchmarks.md. */
export const markdownReport: Report = {
  begin: () => {
    console.log(`# Benchmarks

Every figure stands beside a peer or a limit that was measured in the same run, turn by turn, because machines are noisy; the ratio
is what counts. Each section is the output of

    npm run --silent bench -- --markdown --only NAME

Without \`--only\` it runs them all, each in a process of its own, in about half an hour; \`--quick\` shows in a few minutes that all
run (its figures are not to be quoted), \`--json\` prints an object a line.

Measured with ${figure(cpus().length)} × ${cpus()[0]?.model.trim() || 'an unnamed processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}.`);
  },
  bench: ({ name, summary }) =>
    console.log(
      `\n## ${name}\n\n${sentence(summary)}\n\n| | figure | | against | its figure | ratio | target | |\n|---|--:|---|---|--:|--:|--:|---|`,
    ),
  result: (result) =>
    console.log(
      `| ${result.name} | ${figure(result.value)} | ${result.unit} | ${result.peer} | ${figure(result.peerValue)} | ${result.ratio.toFixed(2)} | ${Number(result.target.toFixed(2)) || 'none'} | ${result.target === 0 ? '' : verdict(result)} |`,
    ),
};

const verdict = (result: BenchResult): string => (result.met ? 'met' : 'MISSED');

const sentence = (text: string): string => `${text[0]?.toUpperCase()}${text.slice(1)}.`;

const figure = (value: number): string =>
  value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
