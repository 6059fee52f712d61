import { optionWord } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { ErrorReply, nullArray, type Reply, refusal } from '../reply.js';
import { addScored } from '../zsets/add-commands.js';
import { createZset, findZset, scoreOf } from '../zsets/zset-value.js';
import { coordinateReply, distanceText, metersPerUnit, parsePoint } from './geo-units.js';
import { decodePoint, distanceMeters, encodePoint, geohashText } from './geohash.js';

/** `GEOADD key [NX|XX] [CH] longitude latitude member …`: a sorted set whose scores are places. */
const geoadd = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const words = new Set<string>();
  let at = 2;
  for (; at < args.length; at++) {
    const word = optionWord(args[at]);
    if (!['NX', 'XX', 'CH'].includes(word)) break;
    words.add(word);
  }
  const count = (args.length - at) / 3;
  if (count < 1 || !Number.isInteger(count)) return refusal.syntax;
  if (words.has('NX') && words.has('XX'))
    return new ErrorReply('ERR XX and NX options at the same time are not compatible');
  const pairs: { readonly member: Buffer; readonly score: number }[] = [];
  for (; at < args.length; at += 3) {
    const point = parsePoint(args[at], args[at + 1]);
    if (point instanceof ErrorReply) return point;
    pairs.push({ member: args[at + 2], score: encodePoint(point) });
  }
  const key = args[1];
  const zset = findZset(context, key) ?? createZset(context, key);
  if (zset instanceof ErrorReply) return zset;
  const result = addScored(context, zset, pairs, {
    isNx: words.has('NX'),
    isXx: words.has('XX'),
    isGt: false,
    isLt: false,
    countsChanged: words.has('CH'),
    increments: false,
  });
  if (result instanceof ErrorReply) return result;
  return words.has('CH') ? result.added + result.changed : result.added;
};

/** Answers for each member what `show` makes of its score, `missing` for those that are not there. */
const forMembers =
  (missing: Reply, show: (score: number) => Reply) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const zset = findZset(context, args[1]);
    if (zset instanceof ErrorReply) return zset;
    return args.slice(2).map((member) => {
      const score = zset === undefined ? undefined : scoreOf(context, zset, member);
      return score === undefined ? missing : show(score);
    });
  };

const geodist = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length > 5) return refusal.syntax;
  const unitMeters = args[4] === undefined ? 1 : metersPerUnit(args[4]);
  if (unitMeters === undefined)
    return new ErrorReply('ERR unsupported unit provided. please use M, KM, FT, MI');
  const zset = findZset(context, args[1]);
  if (zset === undefined) return null;
  if (zset instanceof ErrorReply) return zset;
  const from = scoreOf(context, zset, args[2]);
  const to = scoreOf(context, zset, args[3]);
  if (from === undefined || to === undefined) return null;
  return distanceText(distanceMeters(decodePoint(from), decodePoint(to)) / unitMeters);
};

export const geoPointCommands: readonly DataCommand[] = [
  writeCommand('geoadd', -5, oneKey, geoadd),
  readCommand('geodist', -4, oneKey, geodist),
  readCommand(
    'geohash',
    -2,
    oneKey,
    forMembers(null, (score) => Buffer.from(geohashText(score))),
  ),
  readCommand(
    'geopos',
    -2,
    oneKey,
    forMembers(nullArray, (score) => coordinateReply(decodePoint(score))),
  ),
];
