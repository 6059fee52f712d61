import process from 'node:process';
import { isTailraceError } from '../errors/index.js';
import { withoutControls } from './control-characters.js';
import { redactFacts, redactText } from './redact.js';

/** What the process ends with. */
export const ExitCode = { Done: 0, Failed: 1, Usage: 2, Different: 3, Interrupted: 130 } as const;

const usageCodes = new Set(['CONFIG_INVALID', 'USAGE']);

/** Tells what went wrong, where, and what to do; returns the exit code. */
export const reportError = (thrown: unknown, isJson: boolean): number => {
  const error = firstError(thrown);
  if (!isTailraceError(error)) {
    const text = redactText(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.stderr.write(
      isJson ? `${JSON.stringify({ code: 'INTERNAL', message: text })}\n` : `error: ${text}\n`,
    );
    return ExitCode.Failed;
  }
  const { code, remedy } = error;
  const message = redactText(error.message);
  const context = redactFacts(error.context);
  if (isJson) process.stderr.write(`${JSON.stringify({ code, message, context, remedy })}\n`);
  else {
    const text = `error: ${message}\n${remedy === '' ? '' : `       ${remedy}\n`}       (${code})\n`;
    process.stderr.write(withoutControls(text));
  }
  return usageCodes.has(code) ? ExitCode.Usage : ExitCode.Failed;
};

/** `await using` wraps what went wrong in what then went wrong at closing, which follows from it more often than not. */
const firstError = (thrown: unknown): unknown =>
  thrown instanceof Error && thrown.name === 'SuppressedError' && 'suppressed' in thrown
    ? firstError(thrown.suppressed)
    : thrown;
