import { prefixSuccessor } from '../../bytes/index.js';
import type { DataItem } from '../../engine/index.js';
import { optionWord, parseClamped, parseInteger } from './arguments.js';
import type { CommandContext } from './command-context.js';
import { anyText, compileGlob, type Glob } from './glob.js';
import { type ErrorReply, refusal } from './reply.js';

/** The options of the SCAN family. */
export interface ScanOptions {
  readonly glob: Glob;
  readonly count: number;
  /** lower case; SCAN only */
  readonly type?: string;
  /** HSCAN only */
  readonly hasNoValues: boolean;
}

const defaultCount = 10;

/** Parses `[MATCH pattern] [COUNT n] [TYPE type] [NOVALUES]` from `args[from]` on; the cursor stands before it. */
export const parseScanOptions = (args: readonly Buffer[], from: number): ScanOptions | ErrorReply => {
  if (cursorNumber(args[from - 1]) === undefined) return refusal.invalidCursor;
  let glob = anyText;
  let count = defaultCount;
  let type: string | undefined;
  let hasNoValues = false;
  for (let i = from; i < args.length; i++) {
    const word = optionWord(args[i]);
    if (word === 'NOVALUES') {
      hasNoValues = true;
      continue;
    }
    const value = args[++i];
    if (value === undefined) return refusal.syntax;
    if (word === 'MATCH') glob = compileGlob(value);
    else if (word === 'TYPE') type = value.toString('latin1').toLowerCase();
    else if (word === 'COUNT') {
      const wanted = parseClamped(value);
      if (wanted === undefined) return refusal.notInteger;
      if (wanted < 1) return refusal.syntax;
      count = wanted;
    } else return refusal.syntax;
  }
  return type === undefined ? { glob, count, hasNoValues } : { glob, count, type, hasNoValues };
};

const cursorNumber = (cursor: Uint8Array): number | undefined => {
  const number = parseInteger(cursor);
  return number === undefined || number < 0 ? undefined : number;
};

/** Where a walk of the keys under `prefix` is to begin for a client's cursor; undefined for a bad cursor. */
export const scanStart = (
  context: CommandContext,
  cursor: Uint8Array,
  prefix: Buffer,
): Buffer | undefined => {
  const number = cursorNumber(cursor);
  if (number === undefined) return undefined;
  if (number === 0) return prefix;
  const place = context.services.cursors.goOnFrom(number);
  // A cursor of another key's walk would be a place outside; there nothing follows.
  return place === undefined ? undefined : Buffer.concat([place, Buffer.of(0)]);
};

/** One step of a walk: what was seen, and the cursor to go on with (0 at the end). */
export interface ScanStep<Found> {
  readonly cursor: number;
  readonly found: Found[];
}

/**
 * Looks at up to `count` entries under `prefix` from `begin` on and collects what `pick` makes of them.
 * Whatever is there from the walk's start to its end is seen at least once: the order is that of the keys.
 */
export const scanEntries = <Found>(
  context: CommandContext,
  columnFamily: number,
  prefix: Buffer,
  begin: Buffer,
  options: ScanOptions,
  pick: (item: DataItem, subKey: Buffer) => Found | undefined,
): ScanStep<Found> => {
  const found: Found[] = [];
  const matching = Buffer.concat([prefix, options.glob.prefix]);
  const end = prefixSuccessor(matching);
  const iterator = context.reader.iterate({
    columnFamily,
    begin: Buffer.compare(begin, matching) < 0 ? matching : begin,
    ...(end === undefined ? {} : { end }),
  });
  try {
    for (let seen = 0; iterator.valid; iterator.next()) {
      const { item } = iterator;
      const subKey = item.key.subarray(prefix.length);
      const picked = options.glob.matches(subKey) ? pick(item, subKey) : undefined;
      if (picked !== undefined) found.push(picked);
      if (++seen < options.count) continue;
      const place = Buffer.from(item.key);
      iterator.next();
      return { cursor: iterator.valid ? context.services.cursors.remember(place) : 0, found };
    }
    return { cursor: 0, found };
  } finally {
    iterator.close();
  }
};

/** The reply of the SCAN family: the cursor as text, and the items. */
export const scanReply = (cursor: number, items: readonly (Buffer | string)[]): [Buffer, Buffer[]] => [
  Buffer.from(String(cursor)),
  items.map((item) => (typeof item === 'string' ? Buffer.from(item) : item)),
];
