import { type Reply, ReplyError } from '../../resp/index.js';
import { readKey } from '../commands/read-key.js';
import type { Command } from '../commands/reading.js';
import { runReadings } from '../commands/run-readings.js';
import type { KeyImage } from '../key-image.js';
import { type KeyPlace, keyAt, placeOf } from '../key-place.js';
import { requireReply, type ServerConnection } from '../server-connection.js';

/** The servers of a target, and which of them has a key. */
export interface TargetNodes {
  readonly nodes: readonly ServerConnection[];
  /** Index of the node that has the key. */
  nodeOf(key: Buffer): number;
}

/** A string of the target: null = no string is there. */
export interface TargetString {
  readonly value: Buffer | null;
  readonly ttlAt: number | undefined;
}

/** Reads the target's keys, which may have a prefix there. */
export class TargetKeys {
  readonly #target: TargetNodes;
  readonly #prefixes: ReadonlyMap<string, Buffer>;

  constructor(target: TargetNodes, prefixes: Readonly<Record<string, string>>) {
    this.#target = target;
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

  /** Which keys of the source may stand under a name of the target. */
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
      this.sizes(signal),
      isOne ? this.#readAtOnce(names, signal) : this.#callEach(names, (name) => ['GET', name], signal),
    ]);
    const expiries =
      sizes.expiring > 0 ? await this.#callEach(names, (name) => ['PEXPIRETIME', name], signal) : undefined;
    return values.map((value, at): TargetString => {
      const expiry = expiries?.[at];
      return {
        value: value instanceof Buffer ? value : null,
        ttlAt: typeof expiry === 'number' && expiry >= 0 ? expiry : undefined,
      };
    });
  }

  /** How many keys the target has, and how many of them expire; Infinity where a server does not tell. */
  async sizes(signal: AbortSignal): Promise<{ keys: number; expiring: number }> {
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

  /** Images of keys of any type; undefined where a key changed while it was read. */
  async readImages(places: readonly KeyPlace[], signal: AbortSignal): Promise<(KeyImage | undefined)[]> {
    const names = places.map((place) => placeOf('default', this.nameOf(place)));
    const byNode = this.#target.nodes.map((): number[] => []);
    names.forEach((name, at) => {
      byNode[this.#target.nodeOf(keyAt(name).key)].push(at);
    });
    const images: (KeyImage | undefined)[] = new Array(places.length).fill(undefined);
    await Promise.all(
      byNode.map(async (members, node) => {
        const readings = members.map((at) => readKey(names[at], pageElements));
        const connection = this.#target.nodes[node];
        const read = await runReadings(readings, (commands) => connection.callAll(signal, commands));
        members.forEach((at, index) => {
          images[at] = read[index];
        });
      }),
    );
    return images;
  }

  async has(name: Buffer, signal: AbortSignal): Promise<boolean> {
    return (await this.#callEach([name], (key) => ['EXISTS', key], signal))[0] === 1;
  }

  /** Every key's name, page by page; one may come twice. */
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

  /** Sends commands to the node that has `name`; in order. */
  async write(name: Buffer, bytes: Uint8Array, commands: number, signal: AbortSignal): Promise<Reply[]> {
    return await this.#target.nodes[this.#target.nodeOf(name)].sendEncoded(signal, bytes, commands);
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

const mgetKeys = 500;
const scanCount = 2_000;
const pageElements = 1_000;
