import { optionWord, parseClamped } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, readCommand, twoKeys } from '../data-command.js';
import { ErrorReply, mapReply, type Reply, refusal } from '../reply.js';
import { readString } from './string-value.js';

interface LcsOptions {
  readonly wantsLength: boolean;
  readonly wantsMatches: boolean;
  readonly hasMatchLengths: boolean;
  readonly leastMatch: number;
}

const parseOptions = (args: readonly Buffer[]): LcsOptions | ErrorReply => {
  let wantsLength = false;
  let wantsMatches = false;
  let hasMatchLengths = false;
  let leastMatch = 0;
  for (let i = 3; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'LEN') wantsLength = true;
    else if (word === 'IDX') wantsMatches = true;
    else if (word === 'WITHMATCHLEN') hasMatchLengths = true;
    else if (word === 'MINMATCHLEN' && i + 1 < args.length) {
      const least = parseClamped(args[++i]);
      if (least === undefined) return refusal.notInteger;
      leastMatch = Math.max(0, least);
    } else return refusal.syntax;
  }
  if (wantsLength && wantsMatches)
    return new ErrorReply('ERR If you want both the length and indexes, please just use IDX.');
  return { wantsLength, wantsMatches, hasMatchLengths, leastMatch };
};

/** `LCS key key [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]`: what two strings have in common, in order. */
const lcs = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const options = parseOptions(args);
  const a = readString(context, args[1]) ?? noBytes;
  const b = readString(context, args[2]) ?? noBytes;
  if (a instanceof ErrorReply || b instanceof ErrorReply)
    return new ErrorReply('ERR The specified keys must contain string values');
  if (options instanceof ErrorReply) return options;
  if ((a.length + 1) * (b.length + 1) > mostCells)
    return new ErrorReply('ERR String too long for LCS: the product of the lengths is limited');
  const table = new LengthTable(a, b);
  const total = table.at(a.length, b.length);
  if (options.wantsLength) return total;
  const { text, matches } = walkBack(table, a, b, total);
  if (!options.wantsMatches) return text;
  const shown = matches.filter(({ length }) => length >= options.leastMatch);
  return mapReply([
    Buffer.from('matches'),
    shown.map(({ inA, inB, length }) => {
      const places = [
        [inA, inA + length - 1],
        [inB, inB + length - 1],
      ];
      return options.hasMatchLengths ? [...places, length] : places;
    }),
    Buffer.from('len'),
    total,
  ]);
};

/** How long the longest common subsequence of the first i bytes of `a` and the first j of `b` is. */
class LengthTable {
  readonly #width: number;
  readonly #lengths: Uint32Array;

  constructor(a: Buffer, b: Buffer) {
    const width = b.length + 1;
    const lengths = new Uint32Array((a.length + 1) * width);
    for (let i = 1; i <= a.length; i++)
      for (let j = 1, at = i * width + 1; j <= b.length; j++, at++)
        lengths[at] =
          a[i - 1] === b[j - 1]
            ? lengths[at - width - 1] + 1
            : Math.max(lengths[at - width], lengths[at - 1]);
    this.#width = width;
    this.#lengths = lengths;
  }

  at(i: number, j: number): number {
    return this.#lengths[i * this.#width + j];
  }
}

interface Match {
  inA: number;
  inB: number;
  length: number;
}

/** From the ends to the beginnings: the subsequence, and the stretches that lie together in both, the last first. */
const walkBack = (
  table: LengthTable,
  a: Buffer,
  b: Buffer,
  total: number,
): { text: Buffer; matches: Match[] } => {
  const text = Buffer.allocUnsafe(total);
  const matches: Match[] = [];
  let open: Match | undefined;
  let left = total;
  for (let i = a.length, j = b.length; i > 0 && j > 0; ) {
    if (a[i - 1] === b[j - 1]) {
      i--;
      j--;
      text[--left] = a[i];
      if (open === undefined) {
        open = { inA: i, inB: j, length: 0 };
        matches.push(open);
      }
      open.inA = i;
      open.inB = j;
      open.length++;
    } else {
      open = undefined;
      if (table.at(i - 1, j) > table.at(i, j - 1)) i--;
      else j--;
    }
  }
  return { text, matches };
};

const noBytes = Buffer.alloc(0);
/** 256 MB of table, and well below a second. */
const mostCells = 64 * 1024 * 1024;

export const lcsCommands: readonly DataCommand[] = [readCommand('lcs', -3, twoKeys, lcs)];
