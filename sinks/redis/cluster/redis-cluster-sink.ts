import {
  asError,
  type Claim,
  CommandEncoder,
  defaultAnswerTimeoutMs,
  defaultLargestWordBytes,
  type Finding,
  isSamePosition,
  isTailraceError,
  Ownership,
  type PluginContext,
  type Position,
  parseRedisUrl,
  positionOwner,
  type RedisCommand,
  type Rejection,
  ReplyError,
  readLargestWord,
  type Sink,
  type SinkBatch,
  Turns,
  type WriteOutcome,
} from '../../../src/kit/index.js';
import { kvrocksTypes } from '../batch-commands.js';
import { type NamespaceTargets, prefixesOf, requireOneDatabase } from '../namespace-targets.js';
import { asSinkError } from '../refusal.js';
import { rejectTooLarge } from '../too-large.js';
import { checkCluster } from './check-cluster.js';
import { ClaimedSlots, type ClusterTarget } from './claimed-slots.js';
import { clearNamespace } from './clear-namespace.js';
import { ClusterNodes } from './cluster-nodes.js';
import { positionFields, RootKey, type RootState } from './root-key.js';
import { isMoved, requireCallable, type SlotCall, SlotCalls, unspeakable } from './slot-calls.js';
import { type ClearedNamespace, dealOut, type SlotGroup } from './slot-groups.js';
import { SlotLedger } from './slot-ledger.js';

/** Settings of the sink `redis` where the target is a cluster. */
export interface RedisClusterSinkOptions {
  /** redis:// or rediss:// addresses of nodes; the user and the password of the first count for all. */
  readonly urls: readonly string[];
  readonly password: string;
  /** The root key; `{pipeline}` stands for the pipeline's name. The slots' keys are `<root>:{<tag>}`. */
  readonly positionKey: string;
  /** What the keys of each namespace start with; a cluster has one database. */
  readonly namespaces: NamespaceTargets;
  /** The nodes are Kvrocks: types that a Redis lacks stay what they are; default false. */
  readonly hasKvrocksTypes?: boolean;
  /** How long a node may be silent before its connection is given up, in ms; default 60,000. */
  readonly answerTimeout?: number;
  /** How much longer keys live in the target than their expiry says, in ms; default 0. */
  readonly expiryGrace?: number;
}

/**
 * Redis commands on a Redis Cluster, exactly once for each slot.
 *
 * A transaction of a cluster cannot go beyond one slot. So each slot that is used has a position key of its own, with a
 * tag that keeps it in the slot wherever that moves, and one root key says up to where every slot is written.
 *
 * Claim. The epoch in the root key is raised, then written into the key of every used slot; from then on no write of
 * an older claimant passes. Whatever such a one wrote before is found in the slots' positions.
 *
 * Write. Slots that are new are noted in the root key. Then each slot's part of the batch is one script call: it
 * compares epoch and position of the slot, carries out the commands, and moves the position. When all are done, the
 * root's position moves. A crash in between leaves some slots ahead of the root: the next claimant goes on at the
 * root's position, and each slot takes only what it does not have.
 *
 * Each master's part of a batch ends with the same slot, its closing one, with an empty part if need be. A master that
 * loses writes (a failover) loses the newest, so its closing slot is behind, whichever others are: the next batch meets that,
 * or the next claim. The root goes back to where the closing slot stands, and the pipeline delivers again from there;
 * again each slot takes only what it does not have.
 *
 * While a slot is being moved between masters, Redis refuses what touches several keys of it: its writes are tried
 * again until it has arrived.
 */
export class RedisClusterSink implements Sink {
  readonly guarantee = 'exactly-once';
  readonly holdsPosition = true;
  readonly #nodes: ClusterNodes;
  readonly #calls: SlotCalls;
  readonly #root: RootKey;
  readonly #encoder: CommandEncoder;
  /** Undefined while it is not connected. */
  #claimed: ClaimedSlots | undefined;
  #held: Claim = { epoch: 0, position: null };
  /** Slots that were found to have lost data, up to the claim that goes back for them. */
  readonly #lost = new Set<number>();
  #largestWordBytes = defaultLargestWordBytes;
  readonly #ownership = new Ownership();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: RedisClusterSinkOptions, context: PluginContext) {
    const seeds = options.urls.map((url) => parseRedisUrl(url, options.password));
    this.#nodes = new ClusterNodes(seeds, options.answerTimeout ?? defaultAnswerTimeoutMs);
    this.#calls = new SlotCalls(this.#nodes);
    const key = options.positionKey.replace('{pipeline}', positionOwner(context, 'redis'));
    this.#root = new RootKey(key, this.#nodes, this.#calls);
    requireOneDatabase(options.namespaces);
    this.#encoder = new CommandEncoder({
      ...(options.hasKvrocksTypes === true ? kvrocksTypes : {}),
      ttlGraceMs: options.expiryGrace ?? 0,
      prefixes: prefixesOf(options.namespaces),
    });
  }

  async claim(signal: AbortSignal): Promise<Claim> {
    this.#disconnect();
    try {
      await this.#nodes.refresh(signal);
      await this.#nodes.connectAll(signal);
      for (const master of this.#nodes.masters.slice(0, 1))
        this.#largestWordBytes = await readLargestWord(await this.#nodes.connection(master, signal));
      return await this.#claimAll(signal);
    } catch (error) {
      this.#disconnect();
      // Not a word of another setting, as from a Redis that was taken for a single one: the next try finds the slot.
      const cause = isMoved(error) ? new Error(`a slot is being moved: ${error.message}`) : error;
      throw asSinkError(cause, this.#nodes.place);
    }
  }

  async write(batch: SinkBatch, claim: Claim, signal: AbortSignal): Promise<WriteOutcome> {
    const claimed = this.#claimed;
    if (claimed === undefined) return { kind: 'unknown', error: new Error('the sink is not connected') };
    if (claim.epoch !== this.#held.epoch || !isSamePosition(batch.previous, this.#held.position))
      return claimed.fenced();
    const writing = this.#write(claimed, batch, signal);
    this.#writing = writing;
    const outcome = await writing;
    for (const slot of claimed.lost) this.#lost.add(slot);
    if (outcome.kind === 'unknown' || outcome.kind === 'fenced') this.#disconnect();
    return outcome;
  }

  async check(signal: AbortSignal): Promise<readonly Finding[]> {
    try {
      return await checkCluster(this.#nodes, this.#root, signal);
    } finally {
      if (this.#claimed === undefined) this.#nodes.close();
    }
  }

  async readPosition(signal: AbortSignal): Promise<Position | null> {
    try {
      await this.#nodes.refresh(signal);
      return (await this.#root.read(signal)).position;
    } catch (error) {
      throw asSinkError(error, this.#nodes.place);
    } finally {
      if (this.#claimed === undefined) this.#nodes.close();
    }
  }

  /**
   * Every slot gets the position, then the root. One that is cut off in its middle leaves them apart, as a crash in a
   * write does, and is to be done again.
   */
  async setPosition(position: Position | null, claim: Claim, signal: AbortSignal): Promise<void> {
    try {
      if (position === null) {
        if (!(await this.#root.forget(claim.epoch, signal))) throw this.#root.overtaken();
        return;
      }
      const claimed = this.#claimed;
      if (claimed === undefined) throw new Error('the sink is not connected');
      const calls = claimed.ledger.usedSlots.map(
        (slot): SlotCall => ({ slot, words: claimed.words(slot, [], position) }),
      );
      const refused = await claimed.apply(calls, position, signal);
      if (refused?.kind === 'fenced') throw this.#root.overtaken();
      if (refused !== undefined && 'error' in refused) throw refused.error;
      if (!(await this.#root.set(claim.epoch, positionFields(position), signal)))
        throw this.#root.overtaken();
    } catch (error) {
      throw asSinkError(error, this.#nodes.place);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A batch that is cut off in its middle is mended by the next claim, but one that can be finished should be.
    const timer = new AbortController();
    await Promise.race([this.#writing, delayed(disposeTimeoutMs, timer.signal)]);
    timer.abort();
    this.#disconnect();
  }

  async #claimAll(signal: AbortSignal): Promise<Claim> {
    const root = await this.#root.claim(this.#ownership, signal);
    this.#ownership.claimed(root.epoch);
    const ledger = new SlotLedger(root.used);
    for (const cleared of root.cleared) ledger.cleared(cleared);
    const claimed = new ClaimedSlots(this.#target, ledger, root);
    const positions = await claimed.claim(ledger.usedSlots, signal);
    const position = this.#commonPosition(root, positions);
    if (!isSamePosition(position, root.position)) {
      if (!(await this.#root.set(root.epoch, positionFields(position, root.witnesses), signal)))
        throw new Error('claimed by two at the same time');
    }
    this.#lost.clear();
    ledger.noteAhead(
      [...positions.values()].filter((held) => held !== null),
      position,
    );
    this.#claimed = claimed;
    this.#held = { epoch: root.epoch, position };
    return this.#held;
  }

  /**
   * The root's position, or that up to which the master that is furthest behind it is complete: that one lost its newest writes.
   * Where a write has found it out, other slots of that master may have come further since; what a lost slot itself stands at
   * may be older by far than what its master has lost.
   */
  #commonPosition(root: RootState, positions: ReadonlyMap<number, Position | null>): Position | null {
    const held = (slot: number): Position | null => positions.get(slot) ?? null;
    const isClaimed = (slot: number): boolean => positions.has(slot);
    const witnesses = root.witnesses.filter(isClaimed);
    const behind = witnesses.map(held);
    if (root.witnesses.length === 0) behind.push(...this.#newest(positions).values());
    const losers = new Set(
      witnesses
        .filter((slot) => isBehind(held(slot), root.position))
        .map((slot) => this.#nodes.masterOf(slot)),
    );
    for (const slot of [...this.#lost].filter(isClaimed))
      if (!losers.has(this.#nodes.masterOf(slot))) behind.push(held(slot));
    return behind.reduce((least, position) => (isBehind(position, least) ? position : least), root.position);
  }

  /** How far each master has come at least; where nothing better is known. */
  #newest(positions: ReadonlyMap<number, Position | null>): ReadonlyMap<string, Position | null> {
    const newest = new Map<string, Position | null>();
    for (const [slot, position] of positions) {
      const master = this.#nodes.masterOf(slot);
      if (!newest.has(master) || isBehind(newest.get(master), position)) newest.set(master, position);
    }
    return newest;
  }

  async #write(claimed: ClaimedSlots, batch: SinkBatch, signal: AbortSignal): Promise<WriteOutcome> {
    const { position } = batch;
    const common = this.#held.position;
    try {
      const turns = new Turns(signal);
      const { clears, groups, rejections } = await dealOut(batch, this.#encoder, claimed.ledger, turns);
      const calls: SlotCall[] = [];
      for (const group of groups.values()) {
        calls.push(this.#encode(claimed, group, position, rejections));
        if (turns.isOver) await turns.next();
      }
      if (rejections.length > 0) return { kind: 'poison', rejections };
      for (const cleared of clears) {
        const prefix = this.#prefixOf(cleared);
        const refused = await clearNamespace(this.#target, claimed, { cleared, prefix, common }, signal);
        if (refused !== undefined) return refused;
      }
      const parts = claimed.closed(calls, position);
      const slots = parts.map(({ slot }) => slot);
      const refused =
        (await claimed.use(slots, common, signal)) ?? (await claimed.apply(parts, position, signal));
      if (refused !== undefined) return refused;
      const reached = positionFields(position, claimed.closing);
      if (!(await this.#root.set(claimed.epoch, reached, signal))) return claimed.fenced();
      this.#held = { epoch: claimed.epoch, position };
      claimed.ledger.reached(position);
      return { kind: 'durable' };
    } catch (error) {
      if (error instanceof ReplyError) return claimed.refused(error);
      if (isTailraceError(error) && isFinal.has(error.code)) return { kind: 'fatal', error };
      return { kind: 'unknown', error: asError(error) };
    }
  }

  #prefixOf({ ns }: ClearedNamespace): Buffer {
    return (ns === '*' ? undefined : this.#encoder.prefixOf(ns)) ?? Buffer.alloc(0);
  }

  /** The script call for one slot. What cannot be said in Redis' commands goes to `rejections`. */
  #encode(claimed: ClaimedSlots, group: SlotGroup, position: Position, rejections: Rejection[]): SlotCall {
    const commands = this.#encoder.toWords(group);
    for (const { change, reason } of this.#encoder.unsupported)
      rejections.push({ ...group.places[change], reason });
    const words = claimed.words(group.slot, this.#encoder.touchedKeys(group), position);
    for (const command of commands) {
      words.push(command.length);
      for (const word of command) words.push(word);
    }
    requireCallable(group, words.length, claimed.maxCallWords);
    rejections.push(...unspeakable(group, commands), ...this.#tooLarge(group, commands));
    return { slot: group.slot, words };
  }

  #tooLarge(group: SlotGroup, commands: readonly RedisCommand[]): Rejection[] {
    const limit = this.#largestWordBytes;
    if (!commands.some((words) => words.some(({ length }) => length > limit))) return [];
    const rejections = rejectTooLarge([group], 0, 1, this.#encoder, limit);
    return rejections.map(({ change, reason }) => ({ ...group.places[change], reason }));
  }

  get #target(): ClusterTarget {
    return { nodes: this.#nodes, calls: this.#calls, root: this.#root };
  }

  #disconnect(): void {
    this.#claimed = undefined;
    this.#nodes.close();
  }
}

const isBehind = (position: Position | null | undefined, other: Position | null): boolean =>
  (position?.sequence ?? 0) < (other?.sequence ?? 0);

const delayed = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });

const disposeTimeoutMs = 5_000;
const isFinal: ReadonlySet<string> = new Set([
  'HISTORY_MISMATCH',
  'LIMIT_EXCEEDED',
  'OFFSETS_CORRUPT',
  'SINK_REFUSED',
]);
