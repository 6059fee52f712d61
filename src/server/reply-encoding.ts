import { doubleText, type Reply } from '../data-model/commands/index.js';
import type { ReplyWriter } from '../resp/index.js';

/** Writes a command's reply in the connection's protocol. */
export const writeReply = (writer: ReplyWriter, reply: Reply): void => {
  switch (typeof reply) {
    case 'number':
    case 'bigint':
      writer.integer(reply);
      return;
    case 'string':
      if (reply === 'OK') writer.ok();
      else writer.simple(reply);
      return;
    default:
      writeComposite(writer, reply);
  }
};

const writeComposite = (writer: ReplyWriter, reply: Exclude<Reply, number | bigint | string>): void => {
  if (reply === null) {
    writer.null();
  } else if (Buffer.isBuffer(reply)) {
    writer.bulk(reply);
  } else if (!('kind' in reply)) {
    writer.array(reply.length);
    for (const item of reply) writeReply(writer, item);
  } else if (reply.kind === 'slice') {
    writer.bulkSlice(reply.bytes, reply.start, reply.end);
  } else if (reply.kind === 'error') {
    writer.error(reply.text);
  } else if (reply.kind === 'nullArray') {
    writer.nullArray();
  } else if (reply.kind === 'double') {
    writer.double(reply.text ?? doubleText(reply.value));
  } else if (reply.kind === 'map') {
    writer.map(reply.entries.length / 2);
    for (const item of reply.entries) writeReply(writer, item);
  } else if (reply.kind === 'table') {
    writeTable(writer, reply.entries);
  } else if (reply.kind === 'set') {
    writer.set(reply.members.length);
    for (const item of reply.members) writeReply(writer, item);
  } else if (reply.kind === 'boolean') {
    writer.boolean(reply.value);
  } else if (reply.kind === 'byProtocol') {
    writeReply(writer, writer.isResp3 ? reply.resp3 : reply.resp2);
  } else {
    writePairs(writer, reply.items);
  }
};

/** a, b, a, b …: flat in RESP2, an array of pairs in RESP3. */
const writePairs = (writer: ReplyWriter, items: readonly Reply[]): void => {
  if (!writer.isResp3) {
    writer.array(items.length);
    for (const item of items) writeReply(writer, item);
    return;
  }
  writer.array(items.length / 2);
  for (let i = 0; i < items.length; i += 2) {
    writer.array(2);
    writeReply(writer, items[i]);
    writeReply(writer, items[i + 1]);
  }
};

/** key, value, key, value …: an array of pairs in RESP2, a map in RESP3. */
const writeTable = (writer: ReplyWriter, entries: readonly Reply[]): void => {
  if (writer.isResp3) writer.map(entries.length / 2);
  else writer.array(entries.length / 2);
  for (let i = 0; i < entries.length; i += 2) {
    if (!writer.isResp3) writer.array(2);
    writeReply(writer, entries[i]);
    writeReply(writer, entries[i + 1]);
  }
};
