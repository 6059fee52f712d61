import { isUtf8 } from 'node:buffer';
import process from 'node:process';
import { TailraceError } from '../../errors/index.js';
import { Verification } from '../../migration/verify/index.js';
import { consoleLogger, counted, formatCount, formatTable, type OutputOptions } from '../console.js';
import { jsonBytes, printableBytes } from '../describe-change.js';
import { ExitCode } from '../exit.js';
import { onInterrupt, untilInterrupted } from '../interrupt.js';
import { placeOfUrl } from '../place-of-url.js';
import { openCompared } from './compared-ends.js';
import { countKeys } from './count-keys.js';
import { byDatabase, namespacesOf, resolveNamespaces, sourcePassword, type VerifyFlags } from './flags.js';
import { openSource, type SourcePlace } from './source-place.js';
import { requireComparable, requireTarget, targetKindOf } from './target-kind.js';
import { VerificationDisplay } from './verification-display.js';

/** Compares a source and a target. */
export const verifyCommand = async (flags: VerifyFlags, output: OutputOptions): Promise<void> => {
  const interrupted = onInterrupt();
  await untilInterrupted(interrupted, () => runVerification(flags, output, interrupted));
};

export const verifyDefaults = { sample: 0, ttlTolerance: 1000, settle: 2000 } as const;

/** Prints the report, sets the exit code, and answers whether both sides hold the same. */
export const runVerification = async (
  flags: VerifyFlags,
  output: OutputOptions,
  interrupted: AbortSignal,
): Promise<boolean> => {
  requireTarget(flags.to, flags.toOption);
  requireComparable(flags.to, { settings: flags.toOption ?? [] });
  if (flags.repair && targetKindOf(flags.to) === 'postgres') throw cannotRepair(flags.to);
  const logger = consoleLogger(output);
  const wanted = namespacesOf(flags);
  await using source = await openSource(
    {
      url: flags.from,
      password: sourcePassword(flags),
      usesRecords: flags.records,
      withoutLog: 'read',
      scratch: flags.scratch,
      namespaces: Object.keys(wanted),
      logger,
    },
    interrupted,
  );
  let isSame = true;
  for (const group of byDatabase(resolveNamespaces(wanted, source.namespaces)))
    if (!(await compare(source, group, flags, output, interrupted))) isSame = false;
  if (!isSame) process.exitCode = ExitCode.Different;
  return isSame;
};

/** Compares the namespaces that are in one database of the target. */
const compare = async (
  source: SourcePlace,
  group: ReturnType<typeof byDatabase>[number],
  flags: VerifyFlags,
  output: OutputOptions,
  interrupted: AbortSignal,
): Promise<boolean> => {
  const logger = consoleLogger(output);
  await using end = await openCompared(source, group, flags, interrupted);
  const verification = new Verification({
    keys: source.keys,
    names: source.names,
    target: end.target,
    namespaces: Object.keys(group.prefixes),
    ttlToleranceMs: flags.ttlTolerance,
    sample: flags.sample,
    settleMs: flags.settle,
    repairs: flags.repair ?? false,
    rates: { keysPerSecond: flags.maxKeysPerSecond, bytesPerSecond: flags.maxMbPerSecond * 1_000_000 },
    logger,
  });
  const isOne = Object.keys(group.prefixes).length === 1;
  const total = flags.sample > 0 || !isOne ? undefined : await countKeys(source, interrupted);
  const display = new VerificationDisplay(output, total);
  const startMs = performance.now();
  display.start(verification);
  try {
    await verification.run(interrupted);
  } finally {
    display.stop();
  }
  report(verification, output, (performance.now() - startMs) / 1000);
  const { differences, repaired } = verification.status;
  return differences === repaired;
};

const report = (verification: Verification, output: OutputOptions, seconds: number): void => {
  const { status, differences } = verification;
  if (output.isJson) {
    const { phase: _, ...counts } = status;
    const named = differences.map(({ key, ...rest }) => ({ ...rest, key: jsonBytes(key) }));
    process.stdout.write(`${JSON.stringify({ event: 'verified', ...counts, seconds, named })}\n`);
    return;
  }
  const rate = formatCount(Math.round((status.sourceKeys + status.targetKeys) / seconds));
  const lines = [
    `compared ${counted(status.sourceKeys, 'key')} of the source and looked up ${formatCount(status.targetKeys)} of the target in ${seconds.toFixed(1)} s (${rate}/s)`,
  ];
  if (differences.length > 0) {
    const rows = differences
      .slice(0, shownDifferences)
      .map(({ ns, key, kind, isRepaired }) => [
        kind,
        ns,
        isUtf8(key) ? JSON.stringify(key.toString()) : printableBytes(key),
        isRepaired ? 'repaired' : '',
      ]);
    lines.push(formatTable(['DIFFERENCE', 'NAMESPACE', 'KEY', ''], rows));
    const more = status.differences - rows.length;
    if (more > 0) lines.push(`and ${formatCount(more)} more${hintOfMore(differences.length)}`);
  }
  const left = status.differences - status.repaired;
  const counts = [
    counted(status.differences, 'difference'),
    ...(status.repaired > 0 ? [`${formatCount(status.repaired)} repaired`] : []),
    ...(status.unsettled > 0 ? [`${counted(status.unsettled, 'key')} changed all the time`] : []),
    ...(status.unsupported > 0 ? [`${counted(status.unsupported, 'key')} cannot be read`] : []),
  ];
  lines.push(`${left === 0 ? 'the same' : 'DIFFERENT'}: ${counts.join(', ')}`);
  process.stdout.write(`${lines.join('\n')}\n`);
};

const cannotRepair = (url: string): TailraceError =>
  new TailraceError(
    'USAGE',
    `${placeOfUrl(url)} cannot be repaired key by key: its sink alone writes there`,
    {
      remedy:
        'Leave --repair out; give the mirror a new snapshot (snapshot: when-needed, or migrate --existing overwrite).',
    },
  );

/** More of them are named as JSON than are for people to read. */
const hintOfMore = (named: number): string =>
  named > shownDifferences ? ` (--json names ${formatCount(named)})` : '';

const shownDifferences = 50;
