import {
  type Claim,
  CommandEncoder,
  defaultAnswerTimeoutMs,
  defaultLargestWordBytes,
  type Finding,
  isSamePosition,
  Ownership,
  overtaken,
  type PluginContext,
  type Position,
  parseRedisUrl,
  positionOwner,
  type RedisCommand,
  type Rejection,
  type Reply,
  ReplyError,
  readLargestWord,
  type Sink,
  type SinkBatch,
  TailraceError,
  type WriteOutcome,
} from '../../../src/kit/index.js';
import { readControlState } from '../control-key.js';
import { type NamespaceTargets, prefixesOf, requireOneDatabase } from '../namespace-targets.js';
import { asSinkError, refusalKind } from '../refusal.js';
import { rejectTooLarge } from '../too-large.js';
import { checkCluster } from './check-cluster.js';
import { ClusterNodes } from './cluster-nodes.js';
import { slotOf, tagOfSlot } from './hash-slot.js';
import { clearedField, readRoot } from './root-key.js';
import { scanKeys } from './scan-keys.js';
import { applyToSlot, claimRoot, claimSlot, forgetRoot, setRoot } from './scripts.js';
import { type CallWord, requireCallable, type SlotCall, SlotCalls, unspeakable } from './slot-calls.js';
import { type ClearedNamespace, dealOut, type SlotGroup } from './slot-groups.js';
import { SlotLedger } from './slot-ledger.js';

export interface RedisClusterSinkOptions {
  /** redis:// or rediss:// addresses of nodes; the user and the password of the first count for all. */
  readonly urls: readonly string[];
  readonly password: string;
  /** The root key; `{pipeline}` stands for the pipeline's name. The slots' keys are `<root>:{<tag>}`. */
  readonly positionKey: string;
  /** What the keys of each namespace start with; a cluster has one database. */
  readonly namespaces: NamespaceTargets;
  /** How long a node may be silent before its connection is given up, in ms; default 60,000. */
  readonly answerTimeout?: number;
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
 * A master that has no part in a batch gets an empty one, so that in health no master is behind the root. One that is
 * has lost its newest writes (a failover): the root goes back to where that master stands, and the pipeline delivers
 * again from there; again each slot takes only what it does not have.
 *
 * While a slot is being moved between masters, Redis refuses what touches several keys of it: its writes are tried
 * again until it has arrived.
 */
export class RedisClusterSink implements Sink {
  readonly guarantee = 'exactly-once';
  readonly holdsPosition = true;
  readonly #nodes: ClusterNodes;
  readonly #calls: SlotCalls;
  readonly #root: string;
  readonly #rootSlot: number;
  readonly #encoder: CommandEncoder;
  #ledger = new SlotLedger(Buffer.alloc(0));
  #held: Claim = { epoch: 0, position: null };
  /** Of the root key: what is older in the slots' keys does not count. */
  #born = 0;
  #isConnected = false;
  #largestWordBytes = defaultLargestWordBytes;
  readonly #ownership = new Ownership();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: RedisClusterSinkOptions, context: PluginContext) {
    const seeds = options.urls.map((url) => parseRedisUrl(url, options.password));
    this.#nodes = new ClusterNodes(seeds, options.answerTimeout ?? defaultAnswerTimeoutMs);
    this.#calls = new SlotCalls(this.#nodes);
    this.#root = options.positionKey.replace('{pipeline}', positionOwner(context, 'redis'));
    this.#rootSlot = slotOf(Buffer.from(this.#root));
    requireOneDatabase(options.namespaces);
    this.#encoder = new CommandEncoder({ prefixes: prefixesOf(options.namespaces) });
  }

  async claim(signal: AbortSignal): Promise<Claim> {
    this.#disconnect();
    try {
      await this.#nodes.refresh(signal);
      await this.#nodes.connectAll(signal);
      for (const master of this.#nodes.masters.slice(0, 1))
        this.#largestWordBytes = await readLargestWord(await this.#nodes.connection(master, signal));
      this.#held = await this.#claimAll(signal);
      this.#isConnected = true;
      return this.#held;
    } catch (error) {
      this.#disconnect();
      // A slot that moved while we asked is found at the next try.
      const isMoved = error instanceof ReplyError && error.code === 'MOVED';
      throw asSinkError(isMoved ? new Error(error.message) : error, this.#nodes.place);
    }
  }

  async write(batch: SinkBatch, claim: Claim, signal: AbortSignal): Promise<WriteOutcome> {
    if (!this.#isConnected) return { kind: 'unknown', error: new Error('the sink is not connected') };
    if (claim.epoch !== this.#held.epoch || !isSamePosition(batch.previous, this.#held.position))
      return { kind: 'fenced', error: this.#moved() };
    const writing = this.#write(batch, signal);
    this.#writing = writing;
    const outcome = await writing;
    if (outcome.kind === 'unknown' || outcome.kind === 'fenced') this.#disconnect();
    return outcome;
  }

  async check(signal: AbortSignal): Promise<readonly Finding[]> {
    try {
      return await checkCluster(this.#nodes, signal);
    } finally {
      if (!this.#isConnected) this.#nodes.close();
    }
  }

  async readPosition(signal: AbortSignal): Promise<Position | null> {
    try {
      await this.#nodes.refresh(signal);
      const master = await this.#nodes.connection(this.#nodes.masterOf(this.#rootSlot), signal);
      return readRoot(this.#root, await master.call('HGETALL', this.#root)).position;
    } catch (error) {
      throw asSinkError(error, this.#nodes.place);
    } finally {
      if (!this.#isConnected) this.#nodes.close();
    }
  }

  /**
   * Every slot gets the position, then the root. One that is cut off in its middle leaves them apart, as a crash in a
   * write does, and is to be done again.
   */
  async setPosition(position: Position | null, claim: Claim, signal: AbortSignal): Promise<void> {
    try {
      if (position === null) {
        const words = [forgetRoot.sha, 1, this.#root, claim.epoch];
        if ((await this.#calls.call(this.#rootSlot, words, signal)) !== 1) throw this.#overtaken();
        return;
      }
      const calls = this.#ledger.usedSlots.map(
        (slot): SlotCall => ({ slot, words: this.#slotWords(slot, [], position) }),
      );
      const refused = await this.#apply(calls, position, signal);
      if (refused?.kind === 'fenced') throw this.#overtaken();
      if (refused !== undefined && 'error' in refused) throw refused.error;
      if (!(await this.#setRoot(claim.epoch, positionFields(position), signal))) throw this.#overtaken();
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
    const { token, lastEpoch } = this.#ownership;
    const words = [claimRoot.sha, 1, this.#root, token, lastEpoch];
    const reply = await this.#calls.call(this.#rootSlot, words, signal);
    if (reply instanceof ReplyError && reply.code === 'OVERTAKEN') throw this.#overtaken();
    const root = readRoot(this.#root, reply);
    this.#ownership.claimed(root.epoch);
    const ledger = new SlotLedger(root.used);
    for (const cleared of root.cleared) ledger.cleared(cleared);
    this.#born = root.born;
    const positions = await this.#claimSlots(ledger, ledger.usedSlots, root.epoch, signal);
    const position = this.#commonPosition(root.position, positions);
    this.#ledger = ledger;
    if (!isSamePosition(position, root.position)) {
      const fields = position === null ? ['sequence', 0, 'count', 0, 'crc', 0] : positionFields(position);
      if (!(await this.#setRoot(root.epoch, fields, signal)))
        throw new Error('claimed by two at the same time');
    }
    ledger.noteAhead(
      [...positions.values()].filter((held) => held !== null),
      position,
    );
    return { epoch: root.epoch, position };
  }

  /** Writes the epoch into the keys of slots and reads what they hold. */
  async #claimSlots(
    ledger: SlotLedger,
    slots: readonly number[],
    epoch: number,
    signal: AbortSignal,
  ): Promise<Map<number, Position | null>> {
    const calls = slots.map(
      (slot): SlotCall => ({ slot, words: [claimSlot.sha, 1, this.#slotKey(slot), epoch, this.#born] }),
    );
    const replies = await this.#calls.callAll(calls, signal);
    const positions = new Map<number, Position | null>();
    replies.forEach((reply, at) => {
      const { slot } = calls[at];
      const held = readControlState(this.#slotKey(slot), reply);
      if (held.failed > 0) throw this.#failed(slot, held.failed, held.failure, held.position?.sequence ?? 0);
      ledger.found(slot, held.position);
      positions.set(slot, held.position);
    });
    return positions;
  }

  /** The root's position, or that of the master that is furthest behind it: that one lost its newest writes. */
  #commonPosition(root: Position | null, positions: ReadonlyMap<number, Position | null>): Position | null {
    const newest = new Map<string, Position | null>();
    for (const [slot, position] of positions) {
      const master = this.#nodes.masterOf(slot);
      const known = newest.get(master) ?? null;
      if (!newest.has(master) || (position?.sequence ?? 0) > (known?.sequence ?? 0))
        newest.set(master, position);
    }
    let common = root;
    for (const position of newest.values())
      if ((position?.sequence ?? 0) < (common?.sequence ?? 0)) common = position;
    return common;
  }

  async #write(batch: SinkBatch, signal: AbortSignal): Promise<WriteOutcome> {
    try {
      const { clears, groups, rejections } = dealOut(batch, this.#encoder, this.#ledger);
      const calls = this.#encode(groups, batch.position, rejections);
      if (rejections.length > 0) return { kind: 'poison', rejections };
      for (const clear of clears) {
        const refused = await this.#clear(clear, signal);
        if (refused !== undefined) return refused;
      }
      this.#addEmptyParts(calls, batch.position);
      const refused =
        (await this.#useSlots(
          calls.map(({ slot }) => slot),
          signal,
        )) ?? (await this.#apply(calls, batch.position, signal));
      if (refused !== undefined) return refused;
      const { epoch } = this.#held;
      if (!(await this.#setRoot(epoch, positionFields(batch.position), signal)))
        return { kind: 'fenced', error: this.#moved() };
      this.#held = { epoch, position: batch.position };
      this.#ledger.reached(batch.position);
      return { kind: 'durable' };
    } catch (error) {
      if (error instanceof ReplyError) return this.#refused(error);
      if (error instanceof TailraceError && isFinal.has(error.code)) return { kind: 'fatal', error };
      return { kind: 'unknown', error: error instanceof Error ? error : new Error(String(error)) };
    }
  }

  /** One script call for each slot. What cannot be said in Redis' commands goes to `rejections`. */
  #encode(groups: ReadonlyMap<number, SlotGroup>, position: Position, rejections: Rejection[]): SlotCall[] {
    const calls: SlotCall[] = [];
    for (const group of groups.values()) {
      const commands = this.#encoder.toWords(group);
      for (const { change, reason } of this.#encoder.unsupported)
        rejections.push({ ...group.places[change], reason });
      const keys = this.#encoder.touchedKeys(group);
      const words = this.#slotWords(group.slot, keys, position);
      for (const command of commands) {
        words.push(command.length);
        for (const word of command) words.push(word);
      }
      requireCallable(group.slot, words.length);
      rejections.push(...unspeakable(group, commands), ...this.#tooLarge(group, commands));
      calls.push({ slot: group.slot, words });
    }
    return calls;
  }

  #tooLarge(group: SlotGroup, commands: readonly RedisCommand[]): Rejection[] {
    const limit = this.#largestWordBytes;
    if (!commands.some((words) => words.some(({ length }) => length > limit))) return [];
    const rejections = rejectTooLarge([group], 0, 1, this.#encoder, limit);
    return rejections.map(({ change, reason }) => ({ ...group.places[change], reason }));
  }

  /** Masters without a part get an empty one, in some slot of theirs. */
  #addEmptyParts(calls: SlotCall[], position: Position): void {
    const reached = new Set(calls.map(({ slot }) => this.#nodes.masterOf(slot)));
    for (const master of this.#nodes.masters) {
      if (reached.has(master)) continue;
      const slot = this.#nodes.someSlotOf(master);
      if (this.#ledger.sequenceOf(slot) < position.sequence)
        calls.push({ slot, words: this.#slotWords(slot, [], position) });
    }
  }

  /** The words of a call up to the commands. */
  #slotWords(slot: number, keys: readonly Uint8Array[], position: Position | undefined): CallWord[] {
    const words: CallWord[] = [applyToSlot.sha, 1 + keys.length, this.#slotKey(slot)];
    for (const key of keys) words.push(key);
    words.push(this.#held.epoch, this.#ledger.sequenceOf(slot));
    if (position === undefined) words.push('', '', '');
    else words.push(position.sequence, position.count, position.crc);
    return words;
  }

  /** Notes slots in the root key before they are written for the first time, so that every later claim finds them. */
  async #useSlots(slots: readonly number[], signal: AbortSignal): Promise<WriteOutcome | undefined> {
    const fresh = slots.filter((slot) => !this.#ledger.isUsed(slot));
    if (fresh.length === 0) return undefined;
    for (const slot of fresh) this.#ledger.use(slot);
    const { epoch } = this.#held;
    if (!(await this.#setRoot(epoch, ['slots', this.#ledger.usedBits], signal)))
      return { kind: 'fenced', error: this.#moved() };
    const positions = await this.#claimSlots(this.#ledger, fresh, epoch, signal);
    const found = [...positions.values()].filter((position) => position !== null);
    if (found.length === 0) return undefined;
    // The root key went back to an older state, so it did not know of them: deal the batch out again.
    this.#ledger.noteAhead(found, this.#held.position);
    return { kind: 'retryable', error: new Error('slots were found written that the root key did not know') };
  }

  async #apply(
    calls: readonly SlotCall[],
    position: Position | undefined,
    signal: AbortSignal,
  ): Promise<WriteOutcome | undefined> {
    let left = calls;
    for (let round = 0; ; round++) {
      const replies = await this.#calls.callAll(left, signal);
      const refusals: { call: SlotCall; reply: ReplyError }[] = [];
      let failure: WriteOutcome | undefined;
      replies.forEach((reply, at) => {
        const call = left[at];
        if (reply instanceof ReplyError) refusals.push({ call, reply });
        else if (Array.isArray(reply)) failure ??= this.#unexpected(call.slot, reply, position);
        else if (reply !== 0) failure ??= this.#commandsFailed(call.slot, Number(reply), position);
        if (reply === 0 && position !== undefined) this.#ledger.wrote(call.slot, position);
      });
      if (failure !== undefined) return failure;
      const [first] = refusals;
      if (first === undefined) return undefined;
      const isRedirected = refusals.every(({ reply }) => reply.code === 'MOVED');
      if (!isRedirected || round > 0) return this.#refused(first.reply);
      // The slots live elsewhere now: ask where, and go there at once.
      await this.#nodes.refresh(signal);
      left = refusals.map(({ call }) => call);
    }
  }

  /** The slot does not hold what we left there. */
  #unexpected(
    slot: number,
    held: readonly Reply[],
    position: Position | undefined,
  ): WriteOutcome | undefined {
    const [epoch, sequence] = held.map(Number);
    if (epoch > this.#held.epoch) return { kind: 'fenced', error: this.#moved() };
    if (epoch === this.#held.epoch && sequence === position?.sequence) {
      this.#ledger.wrote(slot, position); // an earlier try came through, its reply did not
      return undefined;
    }
    return {
      kind: 'unknown',
      error: new Error(`slot ${slot} went back to ${sequence}: its master lost its newest writes`),
    };
  }

  #commandsFailed(slot: number, failed: number, position: Position | undefined): WriteOutcome {
    if (position !== undefined) this.#ledger.wrote(slot, position);
    return { kind: 'fatal', error: this.#failed(slot, failed, '', position?.sequence ?? 0) };
  }

  /** A node would not run a call; others may have run theirs, which the next try leaves out. */
  #refused(reply: ReplyError): WriteOutcome {
    if (reply.code === 'OVERTAKEN') return { kind: 'fenced', error: this.#moved() };
    if (reply.code === 'NOSCRIPT') return { kind: 'unknown', error: reply };
    // A slot that is being moved answers so until it has arrived; connections need not be opened anew for that.
    if (/^(ASK|TRYAGAIN|MOVED)$/.test(reply.code)) return { kind: 'retryable', error: reply };
    const kind = refusalKind(reply.message);
    if (kind === 'moved') return { kind: 'unknown', error: reply };
    if (kind === 'busy') return { kind: 'retryable', error: asSinkError(reply, this.#nodes.place) };
    return { kind: 'fatal', error: asSinkError(reply, this.#nodes.place) };
  }

  /** Removes every key of a namespace from every master, but for the pipeline's own, and notes that it is done. */
  async #clear(clear: ClearedNamespace, signal: AbortSignal): Promise<WriteOutcome | undefined> {
    const prefix = clear.ns === '*' ? Buffer.alloc(0) : (this.#encoder.prefixOf(clear.ns) ?? Buffer.alloc(0));
    for await (const keys of scanKeys(this.#nodes, prefix, signal)) {
      const refused = await this.#unlink(keys, signal);
      if (refused !== undefined) return refused;
    }
    const fields = [`${clearedField}${clear.ns}`, clear.seq];
    if (!(await this.#setRoot(this.#held.epoch, fields, signal)))
      return { kind: 'fenced', error: this.#moved() };
    this.#ledger.cleared(clear);
    return undefined;
  }

  async #unlink(keys: readonly Buffer[], signal: AbortSignal): Promise<WriteOutcome | undefined> {
    const bySlot = new Map<number, Buffer[]>();
    for (const key of keys) {
      if (this.#isOwn(key)) continue;
      const slot = slotOf(key);
      const others = bySlot.get(slot);
      if (others === undefined) bySlot.set(slot, [key]);
      else others.push(key);
    }
    const refused = await this.#useSlots([...bySlot.keys()], signal);
    if (refused !== undefined) return refused;
    const calls = [...bySlot].map(([slot, some]): SlotCall => {
      const words = this.#slotWords(slot, some, undefined);
      words.push(1 + some.length, 'UNLINK', ...some);
      return { slot, words };
    });
    return this.#apply(calls, undefined, signal);
  }

  #isOwn(key: Buffer): boolean {
    const text = key.toString('latin1');
    return text === this.#root || text.startsWith(`${this.#root}:{`);
  }

  async #setRoot(epoch: number, fields: readonly CallWord[], signal: AbortSignal): Promise<boolean> {
    for (let round = 0; ; round++) {
      const reply = await this.#calls.call(
        this.#rootSlot,
        [setRoot.sha, 1, this.#root, epoch, ...fields],
        signal,
      );
      if (!(reply instanceof ReplyError)) return reply === 1;
      if (reply.code !== 'MOVED' || round > 0) throw reply;
      await this.#nodes.refresh(signal);
    }
  }

  #slotKey(slot: number): string {
    return `${this.#root}:{${tagOfSlot(slot)}}`;
  }

  #failed(slot: number, failed: number, failure: string, sequence: number): TailraceError {
    const which = failure === '' ? '' : `: ${failure}`;
    const key = this.#slotKey(slot);
    return new TailraceError(
      'SINK_FAILED',
      `${failed} of the commands up to sequence number ${sequence} failed in slot ${slot}${which}`,
      {
        context: { sink: this.#nodes.place, slot, sequence, failed },
        remedy: `Someone else writes keys there: HGET ${key} failure says which; mend the key, then HDEL ${key} failed; or clear the target and reset the position.`,
      },
    );
  }

  #overtaken(): TailraceError {
    return overtaken(`${this.#root} on ${this.#nodes.place}`);
  }

  #moved(): Error {
    return new Error(`${this.#root} on ${this.#nodes.place} is no longer what this process left there`);
  }

  #disconnect(): void {
    this.#isConnected = false;
    this.#nodes.close();
  }
}

const positionFields = ({ sequence, count, crc }: Position): CallWord[] => [
  ...['sequence', sequence],
  ...['count', count],
  ...['crc', crc],
];

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
