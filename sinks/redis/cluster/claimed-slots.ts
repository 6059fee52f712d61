import { setTimeout as delay } from 'node:timers/promises';
import {
  type Position,
  type Reply,
  ReplyError,
  type TailraceError,
  type WriteOutcome,
} from '../../../src/kit/index.js';
import { commandsFailed } from '../commands-failed.js';
import { type ControlState, readControlState } from '../control-key.js';
import { asSinkError, refusalKind } from '../refusal.js';
import type { ClusterNodes } from './cluster-nodes.js';
import type { RootKey, RootState } from './root-key.js';
import { applyToSlot, claimSlot } from './scripts.js';
import type { CallWord, SlotCall, SlotCalls } from './slot-calls.js';
import type { SlotLedger } from './slot-ledger.js';

/** The parts of a cluster that a claim and its writes go to. */
export interface ClusterTarget {
  readonly nodes: ClusterNodes;
  readonly calls: SlotCalls;
  readonly root: RootKey;
}

/**
 * The slots of a cluster under one claim: whose keys carry its epoch, and what each is told in a write. A slot is noted in
 * the root key and claimed before it is written for the first time, so that every later claim finds it.
 */
export class ClaimedSlots {
  readonly ledger: SlotLedger;
  readonly epoch: number;
  readonly maxCallWords: number;
  /** Slots that were found behind what was written to them: their masters lost data. */
  readonly lost = new Set<number>();
  #closing: readonly number[];
  /** Of the root key: what is older in the slots' keys does not count. */
  readonly #born: number;
  readonly #target: ClusterTarget;

  constructor(target: ClusterTarget, ledger: SlotLedger, root: RootState) {
    const { epoch, born, maxCallWords, witnesses } = root;
    this.#target = target;
    this.ledger = ledger;
    this.epoch = epoch;
    this.#born = born;
    this.#closing = witnesses;
    this.maxCallWords = maxCallWords;
  }

  /** Of each master the slot that its part of every batch ends with; it tells a later claim how far the master is complete. */
  get closing(): readonly number[] {
    return this.#closing;
  }

  /** Writes the epoch into the keys of slots and reads what they hold. @throws TailraceError `SINK_FAILED`; ReplyError */
  async claim(slots: readonly number[], signal: AbortSignal): Promise<Map<number, Position | null>> {
    const { root, calls } = this.#target;
    const positions = new Map<number, Position | null>();
    let left = slots.map(
      (slot): SlotCall => ({ slot, words: [claimSlot.sha, 1, root.slotKey(slot), this.epoch, this.#born] }),
    );
    for (let round = 1; left.length > 0; round++) {
      const replies = await calls.callAll(left, signal);
      const moving: SlotCall[] = [];
      replies.forEach((reply, at) => {
        const { slot } = left[at];
        if (isMoving(reply) && round < claimRounds) {
          moving.push(left[at]);
          return;
        }
        const held = readControlState(root.slotKey(slot), reply);
        if (held.failed > 0) throw this.#failed(slot, held);
        this.ledger.found(slot, held.position);
        positions.set(slot, held.position);
      });
      left = moving;
      // While a cluster is balanced anew some slot always moves: those that are claimed need not be asked again.
      if (left.length > 0) await delay(claimPauseMs, undefined, { signal });
    }
    return positions;
  }

  /** Takes slots into use that were not. @param common the position that every slot has */
  async use(
    slots: readonly number[],
    common: Position | null,
    signal: AbortSignal,
  ): Promise<WriteOutcome | undefined> {
    const { ledger } = this;
    const fresh = slots.filter((slot) => !ledger.isUsed(slot));
    if (fresh.length === 0) return undefined;
    if (!(await this.#target.root.set(this.epoch, ['slots', ledger.usedBitsWith(fresh)], signal)))
      return this.fenced();
    const positions = await this.claim(fresh, signal);
    // Only now: a slot that moved meanwhile, and so was not claimed, must not pass for one whose key was lost.
    for (const slot of fresh) ledger.use(slot);
    const found = [...positions.values()].filter((position) => position !== null);
    if (found.length === 0) return undefined;
    // The root key went back to an older state, so it did not know of them: deal the batch out again.
    ledger.noteAhead(found, common);
    return { kind: 'retryable', error: new Error('slots were found written that the root key did not know') };
  }

  /** The words of a call up to the commands. Without a position the slot keeps its own. */
  words(slot: number, keys: readonly Uint8Array[], position: Position | undefined): CallWord[] {
    const words: CallWord[] = [applyToSlot.sha, 1 + keys.length, this.#target.root.slotKey(slot)];
    for (const key of keys) words.push(key);
    words.push(this.epoch, this.ledger.sequenceOf(slot));
    if (position === undefined) words.push('', '', '');
    else words.push(position.sequence, position.count, position.crc);
    return words;
  }

  /**
   * The calls of a batch, with those of the closing slots behind all others: what a master loses is what it was told last, so
   * one that lost anything lost what its closing slot was told.
   */
  closed(calls: readonly SlotCall[], position: Position): SlotCall[] {
    const { nodes } = this.#target;
    const slotOfMaster = new Map(this.#closing.map((slot) => [nodes.masterOf(slot), slot]));
    this.#closing = nodes.masters.map((master) => slotOfMaster.get(master) ?? this.#newestOf(master));
    const last = this.#closing.flatMap((slot): SlotCall[] => {
      const own = calls.find((call) => call.slot === slot);
      if (own !== undefined) return [own];
      if (this.ledger.sequenceOf(slot) >= position.sequence) return [];
      return [{ slot, words: this.words(slot, [], position) }];
    });
    const closing = new Set(this.#closing);
    return [...calls.filter(({ slot }) => !closing.has(slot)), ...last];
  }

  /** The slot of a master that was written last: when its first close is lost, little has to be delivered again. */
  #newestOf(master: string): number {
    const { nodes } = this.#target;
    return this.ledger.usedSlots
      .filter((slot) => nodes.masterOf(slot) === master)
      .reduce(
        (newest, slot) => (this.ledger.sequenceOf(slot) > this.ledger.sequenceOf(newest) ? slot : newest),
        nodes.someSlotOf(master),
      );
  }

  /** Carries out calls; undefined when every slot has its part. */
  async apply(
    calls: readonly SlotCall[],
    position: Position | undefined,
    signal: AbortSignal,
  ): Promise<WriteOutcome | undefined> {
    const replies = await this.#target.calls.callAll(calls, signal);
    let refusal: ReplyError | undefined;
    let failure: WriteOutcome | undefined;
    replies.forEach((reply, at) => {
      const { slot } = calls[at];
      if (reply instanceof ReplyError) refusal ??= reply;
      else if (Array.isArray(reply)) {
        const unexpected = this.#unexpected(slot, reply, position);
        failure ??= unexpected;
      } else if (reply !== 0) failure ??= this.#commandsFailed(slot, Number(reply), position);
      else if (position !== undefined) this.ledger.wrote(slot, position);
    });
    return failure ?? (refusal && this.refused(refusal));
  }

  /** A node would not run a call; others may have run theirs, which the next try leaves out. */
  refused(reply: ReplyError): WriteOutcome {
    if (reply.code === 'OVERTAKEN') return this.fenced();
    if (reply.code === 'NOSCRIPT') return { kind: 'unknown', error: reply };
    // Some node took a part that it may have lost since: what every slot has is to be asked again.
    if (reply.code === 'MOVED') return { kind: 'unknown', error: reply };
    // A slot that is being moved answers so until it has arrived; connections need not be opened anew for that.
    if (isMoving(reply)) return { kind: 'retryable', error: reply };
    const kind = refusalKind(reply.message);
    if (kind === 'moved') return { kind: 'unknown', error: reply };
    const error = asSinkError(reply, this.#target.nodes.place);
    return kind === 'busy' ? { kind: 'retryable', error } : { kind: 'fatal', error };
  }

  fenced(): WriteOutcome {
    return { kind: 'fenced', error: this.#target.root.moved() };
  }

  /** The slot does not hold what we left there. */
  #unexpected(
    slot: number,
    held: readonly Reply[],
    position: Position | undefined,
  ): WriteOutcome | undefined {
    const [epoch, sequence] = held.map(Number);
    if (epoch > this.epoch) return this.fenced();
    if (epoch === this.epoch && sequence === position?.sequence) {
      this.ledger.wrote(slot, position); // an earlier try came through, its reply did not
      return undefined;
    }
    this.lost.add(slot);
    return {
      kind: 'unknown',
      error: new Error(
        `slot ${slot} went back to ${sequence}: its master was flushed, or lost its newest writes`,
      ),
    };
  }

  #commandsFailed(slot: number, failed: number, position: Position | undefined): WriteOutcome {
    if (position !== undefined) this.ledger.wrote(slot, position);
    return { kind: 'fatal', error: this.#failed(slot, { failed, failure: '', position: position ?? null }) };
  }

  #failed(slot: number, held: Pick<ControlState, 'failed' | 'failure' | 'position'>): TailraceError {
    const { nodes, root } = this.#target;
    return commandsFailed(held, nodes.place, root.slotKey(slot), slot);
  }
}

/** True for the answer of a node of which a slot is on its way to another. */
const isMoving = (reply: Reply): boolean =>
  reply instanceof ReplyError && /^(ASK|TRYAGAIN|MOVED)$/.test(reply.code);

/** So often, and at such a distance, a slot that moves is asked for while others are claimed. */
const claimRounds = 20;
const claimPauseMs = 50;
