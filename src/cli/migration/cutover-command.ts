import process from 'node:process';
import { formatCount, type OutputOptions } from '../console.js';
import { ExitCode } from '../exit.js';
import { onInterrupt, untilInterrupted } from '../interrupt.js';
import { placeOfUrl } from '../place-of-url.js';
import type { CutoverFlags } from './flags.js';
import { runMigration } from './migrate-command.js';
import { requireComparable } from './target-kind.js';
import { runVerification, verifyDefaults } from './verify-command.js';

/**
 * Ends a migration: goes on with it (which fences a `migrate --follow` that runs), until the source has taken no write for a
 * while and the target has them all, compares, and tells the last sequence number.
 */
export const cutoverCommand = async (flags: CutoverFlags, output: OutputOptions): Promise<void> => {
  const interrupted = onInterrupt();
  await untilInterrupted(interrupted, () => cutOver(flags, output, interrupted));
};

const cutOver = async (
  flags: CutoverFlags,
  output: OutputOptions,
  interrupted: AbortSignal,
): Promise<void> => {
  if (!flags.skipVerify)
    requireComparable(flags.to, { otherwise: '; say --skip-verify', settings: flags.toOption ?? [] });
  const sequence = await runMigration(flags, { kind: 'quiet', quietMs: flags.quietFor }, output, interrupted);
  if (interrupted.aborted) {
    process.exitCode = ExitCode.Interrupted;
    return;
  }
  const isSame =
    flags.skipVerify || (await runVerification({ ...flags, ...verifyDefaults }, output, interrupted));
  // Whether both hold the same is not known of what was not compared.
  const verdict = flags.skipVerify ? {} : { isSame };
  if (output.isJson)
    process.stdout.write(
      `${JSON.stringify({ event: 'cutover', sequence, ...verdict, to: placeOfUrl(flags.to) })}\n`,
    );
  else if (isSame)
    process.stdout.write(
      `the target holds every write up to sequence number ${formatCount(sequence)}, the last: point the writers to it\n`,
    );
};
