import type { ValueType } from '../../change.js';
import { encodeLogData } from '../../encoding/log-data.js';
import type { CommandContext } from '../command-context.js';
import { allKeys, type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import type { Reply } from '../reply.js';

const anyTypeNote = encodeLogData(undefined);

/** DEL and UNLINK: the sub-keys stay behind as garbage of an incarnation that is no more. */
const del = (context: CommandContext, args: readonly Buffer[]): Reply => {
  let deleted = 0;
  const seen = new Set<string>();
  for (let i = 1; i < args.length; i++) {
    const key = args[i];
    if (context.findAny(key) === undefined) continue;
    if (args.length > 2) {
      const name = key.toString('latin1');
      if (seen.has(name)) continue;
      seen.add(name);
    }
    if (deleted === 0) context.batch.logData(anyTypeNote);
    context.deleteMetadata(key);
    deleted++;
  }
  return deleted;
};

const exists = (context: CommandContext, args: readonly Buffer[]): Reply => {
  let found = 0;
  for (let i = 1; i < args.length; i++) if (context.findAny(args[i]) !== undefined) found++;
  return found;
};

const type = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const metadata = context.findAny(args[1]);
  return metadata === undefined ? 'none' : typeName[metadata.type];
};

/** As TYPE answers them, and SCAN's TYPE option takes them. */
export const typeName: Readonly<Record<ValueType, string>> = {
  string: 'string',
  hash: 'hash',
  list: 'list',
  set: 'set',
  zset: 'zset',
  bitmap: 'bitmap',
  sortedint: 'sortedint',
  stream: 'stream',
  bloom: 'MBbloom--',
  json: 'ReJSON-RL',
  hyperloglog: 'hyperloglog',
  tdigest: 'TDIS-TYPE',
  timeseries: 'timeseries',
};

export const existenceCommands: readonly DataCommand[] = [
  writeCommand('del', -2, allKeys, del),
  writeCommand('unlink', -2, allKeys, del),
  readCommand('exists', -2, allKeys, exists),
  readCommand('touch', -2, allKeys, exists),
  readCommand('type', 2, oneKey, type),
];
