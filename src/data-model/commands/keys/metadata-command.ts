import { readListEnds } from '../../encoding/list-encoding.js';
import { currentLayout, type Metadata } from '../../encoding/metadata.js';
import { isSingleValueType, TypeNumber } from '../../encoding/type-number.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand } from '../data-command.js';
import { mapReply, type Reply, refusal } from '../reply.js';
import { typeName } from './existence-commands.js';

/** `KMETADATA key`, of Kvrocks: what the metadata of a key says, as it is written now. */
const kmetadata = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const metadata = context.findAny(args[1]);
  if (metadata === undefined) return refusal.noSuchKey;
  const facts: [string, Reply][] = [
    ['type', Buffer.from(typeName[metadata.type])],
    ['flags', currentLayout | TypeNumber[metadata.type]],
    ['expire', metadata.expireMs],
  ];
  if (!isSingleValueType(metadata.type))
    facts.push(['version', metadata.version.readBigUInt64BE(0)], ['size', metadata.size]);
  facts.push(...factsOfType(metadata));
  return mapReply(facts.flatMap(([name, value]) => [Buffer.from(name), value]));
};

const factsOfType = ({ type, payload }: Metadata): [string, Reply][] => {
  const ends = type === 'list' ? readListEnds(payload) : undefined;
  if (ends === undefined) return [];
  return [
    ['head', ends.head],
    ['tail', ends.tail],
  ];
};

export const metadataCommands: readonly DataCommand[] = [readCommand('kmetadata', 2, oneKey, kmetadata)];
