import { type ConsumerSlot, Engine } from '../../engine/index.js';
import type { Connection } from '../connection.js';
import { replyWhen } from '../reply-when.js';
import type { ServerCommand } from '../server-command.js';

/**
 * SLOT CREATE name [sequence|LATEST] · ACK name sequence · DROP name · LIST: consumers of the log by name. The log is
 * kept from the batch on that a slot has acknowledged last, within the bounds of the server's retention.
 */
const slot: ServerCommand = {
  name: 'slot',
  arity: -2,
  flags: ['admin'],
  isAdmin: true,
  isRefusedInMulti: true,
  run: (connection, args) => {
    const { reply, state } = connection;
    const { store } = state;
    if (!(store instanceof Engine)) {
      reply.error('ERR this store keeps no slots');
      return;
    }
    const word = args[1].toString('latin1').toLowerCase();
    const name = args[2]?.toString() ?? '';
    const sequence = sequenceOf(args[3], word === 'create' ? store.durableSequence : undefined);
    if (word === 'create' && (args.length === 3 || args.length === 4) && sequence !== undefined) {
      replyWhen(connection, 'slot', register(store, name, sequence), ({ acknowledged }) =>
        reply.integer(acknowledged),
      );
    } else if (word === 'ack' && args.length === 4 && sequence !== undefined) {
      // What was never handed out cannot have been handled.
      if (sequence > store.durableSequence) reply.error('ERR sequence is out of range');
      else reply.integer(store.slots.acknowledge(name, sequence).acknowledged);
    } else if (word === 'drop' && args.length === 3) {
      replyWhen(connection, 'slot', store.slots.drop(name), (wasThere) => reply.integer(wasThere ? 1 : 0));
    } else if (word === 'list' && args.length === 2) {
      const lost = new Set(store.retention?.lostSlots);
      const slots = store.slots.list();
      reply.array(slots.length);
      for (const each of slots) writeSlot(connection, each, lost.has(each.name));
    } else {
      reply.error('ERR syntax: SLOT CREATE name [sequence|LATEST], ACK name sequence, DROP name, LIST');
    }
  },
};

/** A slot whose changes are gone would hold nothing: whoever comes for it again gets all that is left. */
const register = async (store: Engine, name: string, sequence: number): Promise<ConsumerSlot> => {
  const slot = await store.slots.register(name, sequence);
  if (store.retention?.lostSlots.includes(name) !== true) return slot;
  store.slots.acknowledge(name, store.stats().firstLogSequence - 1);
  return await store.slots.register(name, sequence);
};

/** Without an argument the beginning; undefined when it is no sequence number. */
const sequenceOf = (word: Buffer | undefined, latest: number | undefined): number | undefined => {
  if (word === undefined) return 0;
  const text = word.toString('latin1');
  if (latest !== undefined && text.toLowerCase() === 'latest') return latest;
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
};

const writeSlot = ({ reply, state }: Connection, each: ConsumerSlot, isLost: boolean): void => {
  const fields: readonly (readonly [string, number])[] = [
    ['acknowledged', each.acknowledged],
    ['behind', Math.max(0, state.store.durableSequence - each.acknowledged)],
    ['created', each.createdMs],
    ['seen', each.seenMs],
    ['lost', isLost ? 1 : 0],
  ];
  reply.map(fields.length + 1);
  reply.bulkText('name');
  reply.bulkText(each.name);
  for (const [name, value] of fields) {
    reply.bulkText(name);
    reply.integer(value);
  }
};

export const slotCommands: readonly ServerCommand[] = [slot];
