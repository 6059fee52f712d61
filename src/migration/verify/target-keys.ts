import {
  CommandEncoder,
  type RedisMapping,
  type WholeKeys,
  WholeKeysQuestion,
} from '../../data-model/index.js';
import { ByteWriter, type Reply, ReplyError } from '../../resp/index.js';
import { readKey } from '../commands/read-key.js';
import { type Command, readExpiryTime } from '../commands/reading.js';
import { runReadings, type Send } from '../commands/run-readings.js';
import type { KeyImage } from '../key-image.js';
import { type KeyPlace, keyAt, placeOf } from '../key-place.js';
import { requireReply, type ServerConnection } from '../server-connection.js';
import {
  type ComparedTarget,
  type ComparedValue,
  comparedValue,
  type SizedPlace,
  type TargetString,
} from './compared-target.js';
import { isPositionKey } from './position-key.js';

/** The servers of a target, and which of them has a key. */
export interface TargetNodes {
  readonly nodes: readonly ServerConnection[];
  /** Index of the node that has the key. */
  nodeOf(key: Buffer): number;
}

/** The keys of a target that is read and written by the commands of a Redis; they may have a prefix there. */
export class TargetKeys implements ComparedTarget {
  readonly #target: TargetNodes;
  readonly #prefixes: ReadonlyMap<string, Buffer>;
  readonly #encoder: CommandEncoder;
  readonly #ownKey: Buffer;

  /** @param ownKey holds the position of the migration; it and those whose names begin so are passed over
   * @param types what becomes of those that a Redis has not, where keys are repaired
   */
  constructor(
    target: TargetNodes,
    prefixes: Readonly<Record<string, string>>,
    ownKey: string,
    types: Pick<RedisMapping, 'json' | 'sortedInt' | 'bitmap' | 'hyperLogLog'> = {},
  ) {
    this.#target = target;
    this.#ownKey = Buffer.from(ownKey);
    this.#encoder = new CommandEncoder({ ...types, prefixes });
    this.#prefixes = new Map(Object.entries(prefixes).map(([ns, prefix]) => [ns, Buffer.from(prefix)]));
  }

  /** The key's name in the target. */
  nameOf(place: KeyPlace): Buffer {
    const { ns, key } = keyAt(place);
    return this.nameIn(ns, key);
  }

  nameIn(ns: string, key: Buffer): Buffer {
    const prefix = this.#prefixes.get(ns);
    return prefix === undefined || prefix.length === 0 ? key : Buffer.concat([prefix, key]);
  }

  isOwn(name: Buffer): boolean {
    return name.subarray(0, this.#ownKey.length).equals(this.#ownKey) || isPositionKey(name);
  }

  placesOf(name: Buffer): KeyPlace[] {
    const places: KeyPlace[] = [];
    for (const [ns, prefix] of this.#prefixes)
      if (name.subarray(0, prefix.length).equals(prefix))
        places.push(placeOf(ns, name.subarray(prefix.length)));
    return places;
  }

  /**
   * Hot: most keys are strings; measured by bench `migrate`. Where keys need not share a slot, one MGET reads many; and
   * where no key expires, none is asked when it does.
   */
  async readStrings(names: readonly Buffer[], signal: AbortSignal): Promise<TargetString[]> {
    if (names.length === 0) return [];
    const isOne = this.#target.nodes.length === 1;
    const [sizes, values] = await Promise.all([
      this.#sizes(signal),
      isOne ? this.#readAtOnce(names, signal) : this.#callEach(names, (name) => ['GET', name], signal),
    ]);
    const expiries =
      sizes.expiring > 0 ? await this.#callEach(names, (name) => ['PEXPIRETIME', name], signal) : undefined;
    return values.map((value, at): TargetString => {
      const ttlAt = readExpiryTime(expiries?.[at]);
      return { value: value instanceof Buffer && ttlAt !== gone ? value : null, ttlAt };
    });
  }

  async differentOf(
    keys: WholeKeys,
    ttlToleranceMs: number,
    signal: AbortSignal,
  ): Promise<readonly SizedPlace[]> {
    const asksExpiry = (await this.#sizes(signal)).expiring > 0;
    const prefix = this.#prefixes.get(keys.ns) ?? noBytes;
    const { nodes } = this.#target;
    const different = await Promise.all(
      nodes.map(async (node, at) => {
        const isAsked = nodes.length === 1 ? undefined : (name: Buffer) => this.#target.nodeOf(name) === at;
        const question = new WholeKeysQuestion(keys, { prefix, isAsked, asksExpiry, ttlToleranceMs });
        const out = new ByteWriter(256 * 1024);
        const commands = question.write(out);
        return question.different(commands === 0 ? [] : await node.sendEncoded(signal, out.bytes, commands));
      }),
    );
    return different.flat().map(({ key, byteLength }) => ({ place: placeOf(keys.ns, key), byteLength }));
  }

  async count(signal: AbortSignal): Promise<number> {
    const { keys } = await this.#sizes(signal);
    const [own] = await this.#callEach([this.#ownKey], (key) => ['EXISTS', key], signal);
    return keys - Number(own);
  }

  async randomNames(count: number, signal: AbortSignal): Promise<Buffer[]> {
    const { nodes } = this.#target;
    const node = nodes[Math.floor(Math.random() * nodes.length)];
    const asks = Array.from({ length: count }, () => ['RANDOMKEY']);
    const found = await node.callAll(signal, asks);
    return found.flatMap((name) => (name instanceof Buffer ? [name] : []));
  }

  async repair(image: KeyImage, signal: AbortSignal): Promise<string | undefined> {
    const out = new ByteWriter(1024);
    const name = this.nameOf(image.place);
    const { ns, key } = keyAt(image.place);
    const cleared = { seq: 0, index: 0, ns, key, op: 'delete', type: 'key' } as const;
    const commands = this.#encoder.append(out, { changes: [cleared, ...image.changes] });
    const [unsupported] = this.#encoder.unsupported;
    if (unsupported !== undefined) return unsupported.reason;
    const node = this.#target.nodes[this.#target.nodeOf(name)];
    const replies = await node.sendEncoded(signal, out.bytes, commands);
    const failure = replies.find((reply) => reply instanceof ReplyError);
    return failure instanceof ReplyError ? failure.message : undefined;
  }

  /** How many keys the target has, and how many of them expire; Infinity where a server does not tell. */
  async #sizes(signal: AbortSignal): Promise<{ keys: number; expiring: number }> {
    const infos = await Promise.all(this.#target.nodes.map((node) => node.call(signal, 'INFO', 'keyspace')));
    const total = { keys: 0, expiring: 0 };
    for (const info of infos) {
      const text = String(info);
      // Another database than 0, or another server than a Redis, may count in another way.
      const figures = /^db0:keys=(\d+),expires=(\d+)/m.exec(text);
      const isPlain = figures !== null && !/^db[1-9]/m.test(text) && !/^sequence:/m.test(text);
      total.keys += isPlain ? Number(figures[1]) : Number.POSITIVE_INFINITY;
      total.expiring += isPlain ? Number(figures[2]) : Number.POSITIVE_INFINITY;
    }
    return total;
  }

  async readValues(places: readonly KeyPlace[], signal: AbortSignal): Promise<(ComparedValue | undefined)[]> {
    const names = places.map((place) => placeOf('default', this.nameOf(place)));
    const byNode = this.#target.nodes.map((): number[] => []);
    names.forEach((name, at) => {
      byNode[this.#target.nodeOf(keyAt(name).key)].push(at);
    });
    const values: (ComparedValue | undefined)[] = new Array(places.length).fill(undefined);
    await Promise.all(
      byNode.map(async (members, node) => {
        const readings = members.map((at) => readKey(names[at], pageElements));
        const connection = this.#target.nodes[node];
        const send: Send = (commands) => connection.callAll(signal, commands);
        const read = await runReadings(readings, send, comparedValue);
        members.forEach((at, index) => {
          values[at] = read[index];
        });
      }),
    );
    return values;
  }

  async *scan(signal: AbortSignal): AsyncGenerator<readonly Buffer[]> {
    for (const node of this.#target.nodes) {
      let cursor = '0';
      do {
        const reply = requireReply(
          await node.call(signal, 'SCAN', cursor, 'COUNT', scanCount),
          'SCAN',
          node.place,
        );
        const [next, keys] = Array.isArray(reply) ? reply : [];
        if (!Array.isArray(keys)) throw new RangeError('an answer to SCAN that has no keys');
        yield keys.flatMap((key) => (key instanceof Buffer ? [key] : []));
        cursor = String(next);
      } while (cursor !== '0');
    }
  }

  async #readAtOnce(names: readonly Buffer[], signal: AbortSignal): Promise<Reply[]> {
    const [node] = this.#target.nodes;
    const commands: Command[] = [];
    for (let from = 0; from < names.length; from += mgetKeys)
      commands.push(['MGET', ...names.slice(from, from + mgetKeys)]);
    const replies = await node.callAll(signal, commands);
    return replies.flatMap((reply) => requireReply(reply, 'MGET', node.place) as Reply[]);
  }

  /** One command for each name, each to the node that has it; an error reply other than WRONGTYPE throws. */
  async #callEach(
    names: readonly Buffer[],
    make: (name: Buffer) => Command,
    signal: AbortSignal,
  ): Promise<Reply[]> {
    const { nodes } = this.#target;
    if (nodes.length === 1) return await nodes[0].callAll(signal, names.map(make));
    const byNode = nodes.map((): number[] => []);
    names.forEach((name, at) => {
      byNode[this.#target.nodeOf(name)].push(at);
    });
    const replies: Reply[] = new Array(names.length).fill(null);
    await Promise.all(
      byNode.map(async (members, node) => {
        const answers = await nodes[node].callAll(
          signal,
          members.map((at) => make(names[at])),
        );
        members.forEach((at, index) => {
          const answer = answers[index];
          replies[at] =
            answer instanceof ReplyError && answer.code === 'WRONGTYPE'
              ? null
              : requireReply(answer, 'a read', nodes[node].place);
        });
      }),
    );
    return replies;
  }
}

/** What the expiry of a key is that has gone. */
const gone = -2;
const noBytes = Buffer.alloc(0);
const mgetKeys = 500;
const scanCount = 2_000;
const pageElements = 1_000;
