import {
  ByteWriter,
  type RedisCommand,
  type Rejection,
  type Reply,
  ReplyError,
  TailraceError,
  Turns,
  writeCommand,
} from '../../../src/kit/index.js';
import type { ClusterNodes } from './cluster-nodes.js';
import type { SlotGroup } from './slot-groups.js';

export type CallWord = string | number | Uint8Array;

/** A script call that touches one slot: the script's name, the number of keys, the keys, and what else it is told. */
export interface SlotCall {
  readonly slot: number;
  readonly words: readonly CallWord[];
}

/** Calls scripts at the masters of their slots. */
export class SlotCalls {
  readonly #nodes: ClusterNodes;

  constructor(nodes: ClusterNodes) {
    this.#nodes = nodes;
  }

  async call(slot: number, words: readonly CallWord[], signal: AbortSignal): Promise<Reply | undefined> {
    const [reply] = await this.callAll([{ slot, words }], signal);
    return reply;
  }

  /**
   * All masters at the same time, each its calls in order; the replies come in the order of the calls. Those whose slots live
   * elsewhere by now go there, once; with them what the old master of such slots has taken, in front of them: where a replica
   * took over, that may be lost.
   * @throws the error of a connection that was lost: then some calls may have been carried out
   */
  async callAll(calls: readonly SlotCall[], signal: AbortSignal): Promise<Reply[]> {
    const sentTo = calls.map(({ slot }) => this.#nodes.masterOf(slot));
    const replies = await this.#callMasters(calls, signal);
    if (!replies.some(isMoved)) return replies;
    await this.#nodes.refresh(signal);
    const isElsewhere = (at: number): boolean => this.#nodes.masterOf(calls[at].slot) !== sentTo[at];
    const moved = [...replies.keys()].filter(
      (at) => isMoved(replies[at]) || (isElsewhere(at) && (replies[at] === 0 || Array.isArray(replies[at]))),
    );
    const followed = await this.#callMasters(
      moved.map((at) => calls[at]),
      signal,
    );
    moved.forEach((at, index) => {
      replies[at] = followed[index];
    });
    return replies;
  }

  async #callMasters(calls: readonly SlotCall[], signal: AbortSignal): Promise<Reply[]> {
    const parts = new Map<string, { out: ByteWriter; places: number[] }>();
    const turns = new Turns(signal);
    for (const [place, { slot, words }] of calls.entries()) {
      const master = this.#nodes.masterOf(slot);
      if (master === '') throw new ReplyError(`CLUSTERDOWN no master has slot ${slot}`);
      const part = parts.get(master) ?? { out: new ByteWriter(64 * 1024), places: [] };
      parts.set(master, part);
      part.places.push(place);
      writeCommand(part.out, ['EVALSHA', ...words]);
      if (turns.isOver) await turns.next();
    }
    const replies: Reply[] = new Array(calls.length).fill(null);
    await Promise.all(
      [...parts].map(async ([master, { out, places }]) => {
        const connection = await this.#nodes.connection(master, signal);
        const answers = await connection.send(out.take(), places.length);
        answers.forEach((answer, at) => {
          replies[places[at]] = answer;
        });
      }),
    );
    return replies;
  }
}

/** True for the answer of a node that does not have the slot any more. */
export const isMoved = (reply: unknown): reply is ReplyError =>
  reply instanceof ReplyError && reply.code === 'MOVED';

/** @throws TailraceError `LIMIT_EXCEEDED` for more words than the servers take */
export const requireCallable = ({ slot, places }: SlotGroup, words: number, limit: number): void => {
  if (words <= limit) return;
  const isOne = places[0]?.transaction === places.at(-1)?.transaction;
  throw new TailraceError('LIMIT_EXCEEDED', `one write has ${words} words for slot ${slot}`, {
    context: { limit, actual: words, slot },
    remedy: isOne
      ? 'It is a single transaction of the source. Redis 7 takes more in one call: upgrade the nodes, or start over from a snapshot.'
      : 'Lower limits.batchBytes, or use Redis 7, which takes more in one call.',
  });
};

/** Changes whose command has more words than a script can hand over: only entries of streams, or commands about such. */
export const unspeakable = (group: SlotGroup, commands: readonly RedisCommand[]): Rejection[] => {
  if (commands.every(({ length }) => length <= maxCommandWords)) return [];
  const reason = `a command of more than ${maxCommandWords} words cannot be carried out by a script`;
  return group.places.flatMap((place, at) => (isWide(group, at) ? [{ ...place, reason }] : []));
};

const isWide = ({ changes }: SlotGroup, at: number): boolean => {
  const change = changes[at];
  if (change.op === 'streamMeta') return change.command.length > maxCommandWords;
  return change.op === 'put' && change.type === 'stream' && change.fields.length + 3 > maxCommandWords;
};

/** What Lua can hand over at once, with room to spare. */
const maxCommandWords = 7_000;
