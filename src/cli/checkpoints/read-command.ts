import process from 'node:process';
import type { Reply } from '../../resp/index.js';
import type { OutputOptions } from '../console.js';
import { withoutControls } from '../control-characters.js';
import { jsonBytes } from '../describe-change.js';
import { writeOut } from '../write-out.js';
import { readAtCheckpoint } from './checkpoint-target.js';

/**
 * Runs a command that reads at a checkpoint and prints what it answers: bytes as they are, what is in a list a line each;
 * or JSON, with bytes as change events have them.
 */
export const readCommand = async (
  store: string,
  reference: string,
  words: readonly string[],
  password: string | undefined,
  output: OutputOptions,
): Promise<void> => {
  const answer = await readAtCheckpoint(store, reference, words, password);
  await writeOut(
    output.isJson ? `${JSON.stringify(jsonOf(answer))}\n` : Buffer.concat([...linesOf(answer), lineEnd]),
  );
};

const linesOf = (answer: Reply): Buffer[] => {
  if (Array.isArray(answer))
    return answer.flatMap((item, at) => [...(at === 0 ? [] : [lineEnd]), ...linesOf(item)]);
  if (!Buffer.isBuffer(answer)) return [Buffer.from(answer === null ? '(nil)' : String(answer))];
  // Bytes of a client must not command a terminal.
  return [process.stdout.isTTY ? Buffer.from(withoutControls(answer.toString())) : answer];
};

const jsonOf = (answer: Reply): unknown => {
  if (Array.isArray(answer)) return answer.map(jsonOf);
  if (typeof answer === 'bigint') return String(answer);
  return Buffer.isBuffer(answer) ? jsonBytes(answer) : answer;
};

const lineEnd = Buffer.from('\n');
