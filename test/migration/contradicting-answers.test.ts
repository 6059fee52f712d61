import { afterAll, beforeAll, expect, it } from 'vitest';
import { CommandReader } from '../../src/migration/commands/command-reader.js';
import { placeOf, ServerConnection } from '../../src/migration/index.js';
import { type CommandArgument, parseRedisUrl, type Reply, ReplyError } from '../../src/resp/index.js';
import { MigrationEnds } from '../support/migration-ends.js';

let ends: MigrationEnds;
beforeAll(async () => {
  ends = await MigrationEnds.open('contradicting-answers');
});
afterAll(() => ends[Symbol.asyncDispose]());

type Words = readonly CommandArgument[];

/** Of a server that says of every sorted set that it is there, and that it is not: a Kvrocks does so of some streams. */
class ContradictingConnection extends ServerConnection {
  override async callAll(signal: AbortSignal, commands: readonly Words[]): Promise<Reply[]> {
    const replies = await super.callAll(signal, commands);
    return replies.map((reply, at) =>
      commands[at][0] === 'EXEC' && Array.isArray(reply)
        ? reply.map((inner, index) => contradict(commands[index + 1], inner))
        : contradict(commands[at], reply),
    );
  }
}

const contradict = ([name]: Words, reply: Reply): Reply =>
  name === 'ZRANGE' && Array.isArray(reply) ? new ReplyError('ERR no such key') : reply;

it('a key of which the server tells nothing that fits together is named, and not read for ever', async () => {
  await ends.source.zadd('odd', 1, 'a');
  await ends.source.set('even', 'x');
  const connection = new ContradictingConnection(parseRedisUrl(ends.sourceUrl));
  const question = { command: ['SEQUENCE', 'APPLIED'], read: (reply: Reply) => Number(reply) };
  await using reader = new CommandReader(connection, question);
  const places = ['odd', 'even'].map((key) => placeOf('default', Buffer.from(key)));
  const signal = new AbortController().signal;
  const beside = await reader.readKeys(places, false, signal);
  expect(beside.unsettled).toEqual([places[0]]);
  const { unsettled, images } = await reader.readKeys(places, true, signal);
  expect(unsettled).toEqual([]);
  expect(images.map(({ unsupported }) => unsupported)).toEqual([
    "the server's answers about it contradict each other, the last one being ZRANGE: ERR no such key",
    undefined,
  ]);
});
