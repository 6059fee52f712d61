import { CommandContext, commandServices, dataCommands, wrongWords } from '../data-model/commands/index.js';
import { defaultNamespace } from '../data-model/index.js';
import type { DataReader } from '../engine/index.js';
import { ReplyError, ReplyParser, ReplyWriter, type Reply as RespReply } from '../resp/index.js';
import { readsCheckpoint, unknownCommand } from './admission.js';
import { writeReply } from './reply-encoding.js';

/** What a client of a server would be answered in RESP2 to a command that reads: of a view of a store, without a server. */
export const readReply = (reader: DataReader, words: readonly string[]): RespReply => {
  const args = words.map((word) => Buffer.from(word));
  const command = dataCommands.get(words[0].toLowerCase());
  if (command === undefined) return new ReplyError(unknownCommand(args));
  const fault = wrongWords(command, args);
  if (fault !== undefined) return new ReplyError(fault.text);
  if (command.isWrite) return new ReplyError(readsCheckpoint);
  const context = new CommandContext(reader, commandServices(), defaultNamespace);
  context.begin();
  const writer = new ReplyWriter();
  writeReply(writer, command.run(context, args));
  const parser = new ReplyParser();
  parser.feed(writer.out.take());
  return parser.next() ?? null;
};
