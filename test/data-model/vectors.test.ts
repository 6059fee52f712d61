import { describe, expect, it } from 'vitest';
import { CommandContext, commandServices } from '../../src/data-model/commands/command-context.js';
import { dataCommands } from '../../src/data-model/commands/command-table.js';
import { CommandTransaction } from '../../src/data-model/commands/command-transaction.js';
import type { Reply } from '../../src/data-model/commands/reply.js';
import { plainReply } from '../support/command-client.js';
import { MemoryStore } from '../support/memory-store.js';
import { captureMs, describeBatch, joinBatches, readVectors, type Vector } from './vectors.js';

/**
 * Commands of the vectors that are the server's (scripts, namespaces, publishing), not Redis': what they wrote is taken
 * over as captured.
 */
const notDataCommands = new Set([
  'EVAL',
  'SCRIPT',
  'FUNCTION',
  'FCALL',
  'NAMESPACE',
  '(AS',
  'PUBLISH',
  'TOUCH',
]);

/**
 * Where Redis answers in another shape or in clearer words than this Kvrocks, ours is Redis': its clients parse it.
 * And an id made of the clock.
 */
const answeredOtherwise = new Set(['ZMPOP 1 z5 MIN', 'SET s1 v EX 0', 'XADD x1 * auto 1']);

/** What this Kvrocks does by mistake: it deletes an entry of the stream together with a group. */
const mistakes = new Map([['XGROUP DESTROY x1 g1', /^Delete 5 "__namespace x1 \\u0000/]]);

const store = new MemoryStore();
const services = commandServices(
  () => captureMs,
  () => 0.5,
);

const argsOf = (vector: Vector): Buffer[] => (vector.args ?? []).map((arg) => Buffer.from(arg, 'base64'));

const runAlone = (args: readonly Buffer[]): { reply: Reply; batch: Buffer } => {
  const command = dataCommands.get(String(args[0]).toLowerCase());
  if (command === undefined) throw new Error(`no command ${args[0]}`);
  const context = new CommandContext(store, services);
  const reply = command.run(context, args);
  return { reply, batch: Buffer.from(context.batch.finish()) };
};

/** `MULTI; SET t1 a; …; EXEC` */
const runTransaction = (text: string): { reply: Reply; batch: Buffer } => {
  const transaction = new CommandTransaction(store, services);
  const reply = text
    .split('; ')
    .slice(1, -1)
    .map((line) => line.split(' ').map((word) => Buffer.from(word)))
    .map((args) => {
      const command = dataCommands.get(String(args[0]).toLowerCase());
      if (command === undefined) throw new Error(`no command ${args[0]}`);
      return transaction.run(command, args);
    });
  return { reply, batch: Buffer.from(transaction.batch.finish()) };
};

/** The reply as the vectors' file has replies. */
const asCaptured = (reply: unknown): unknown => {
  if (typeof reply === 'string' && reply.startsWith('error ')) return { error: reply.slice('error '.length) };
  if (typeof reply === 'string') return { b64: Buffer.from(reply, 'latin1').toString('base64') };
  return Array.isArray(reply) ? reply.map(asCaptured) : reply;
};

describe('commands write what Kvrocks writes', () => {
  let takenOver: Buffer[] = [];
  for (const vector of readVectors()) {
    const args = argsOf(vector);
    const word = String(args[0] ?? vector.text.split(/[ ;]/)[0]).toUpperCase();
    const captured = joinBatches(vector.batches.map((hex) => Buffer.from(hex, 'hex')));
    if (notDataCommands.has(word)) {
      takenOver.push(captured);
      continue;
    }
    const before = takenOver;
    takenOver = [];
    it(`${vector.group}: ${vector.text.slice(0, 100)}`, () => {
      for (const other of before) store.commit(other);
      const { reply, batch } = word === 'MULTI' ? runTransaction(vector.text) : runAlone(args);
      // Kvrocks' own bytes go on, so that one fault doesn't spoil what follows.
      store.commit(captured);
      const described = batch.readUInt32LE(8) === 0 ? [] : describeBatch(batch);
      const mistake = mistakes.get(vector.text);
      expect(described).toEqual(describeBatch(captured).filter((line) => !mistake?.test(line)));
      if (word === 'MULTI' || answeredOtherwise.has(vector.text)) return;
      expect(asCaptured(plainReply(reply))).toEqual(
        vector.error === undefined ? vector.reply : { error: vector.error },
      );
    });
  }
});

describe('commands in namespaces write what Kvrocks writes there', () => {
  const tenants = new MemoryStore();
  /** `(tenant1) SET k v` */
  const calls = readVectors('vectors-namespaces').flatMap(({ text, batches }) => {
    const [, tenant, line] = /^\((\w+)\) (.*)$/.exec(text) ?? [];
    return line === undefined || !(batches?.length > 0) ? [] : [{ text, tenant, line, batches }];
  });

  it.each(calls)('$text', ({ tenant, line, batches }) => {
    const args = line.split(' ').map((word) => Buffer.from(word));
    const context = new CommandContext(tenants, services, tenant === 'default' ? undefined : tenant);
    const command = dataCommands.get(String(args[0]).toLowerCase());
    command?.run(context, args);
    const captured = joinBatches(batches.map((hex) => Buffer.from(hex, 'hex')));
    expect(describeBatch(context.batch.finish())).toEqual(describeBatch(captured));
    tenants.commit(captured);
  });

  it('none of them left out', () => {
    expect(calls).toHaveLength(8);
  });
});
