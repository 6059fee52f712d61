import type { Change } from '../../src/kit/index.js';
import { keyText } from './text-bytes.js';

type StreamMeta = Extract<Change, { op: 'streamMeta' }>;

/** What a command does to a group of a stream. Ids as text: `ms-seq`. */
export type GroupEdit =
  | { readonly kind: 'group'; readonly group: Buffer; readonly state: GroupState }
  | { readonly kind: 'destroyed'; readonly group: Buffer }
  | { readonly kind: 'consumer'; readonly group: Buffer; readonly consumer: Buffer; readonly isGone: boolean }
  | {
      readonly kind: 'pending';
      readonly group: Buffer;
      readonly id: string;
      readonly entry: PendingEntry | null;
    };

export interface GroupState {
  readonly lastDelivered: string;
  /** −1 when unknown. */
  readonly entriesRead: number;
}

export interface PendingEntry {
  readonly consumer: Buffer;
  /** ms since 1970 */
  readonly deliveredAt: number;
  readonly deliveries: number;
}

/** What a batch makes of one group. */
export interface GroupFold {
  readonly group: Buffer;
  /** What the target holds of the group from before the batch goes, with its consumers and pending entries. */
  isDestroyed: boolean;
  state: GroupState | undefined;
  readonly consumers: Map<string, { readonly consumer: Buffer; readonly isGone: boolean }>;
  /** By id; null: no longer pending. */
  readonly pending: Map<string, PendingEntry | null>;
}

/**
 * The edit that a command stands for; undefined for those that concern no group. The forms are those of the decoder:
 *
 *   XGROUP CREATE|SETID key group id … ENTRIESREAD n     XGROUP CREATECONSUMER|DELCONSUMER key group consumer
 *   XGROUP DESTROY key group                             XACK key group id
 *   XCLAIM key group consumer 0 id TIME ms RETRYCOUNT n …
 */
export const groupEdit = ({ command }: StreamMeta): GroupEdit | undefined => {
  const text = (at: number): string => String(command[at]);
  const bytes = (at: number): Buffer => {
    const word = command[at];
    return typeof word === 'string'
      ? Buffer.from(word)
      : Buffer.from(word.buffer, word.byteOffset, word.length);
  };
  const after = (word: string): number => Number(command[command.indexOf(word) + 1]);
  switch (command[0]) {
    case 'XGROUP': {
      const group = bytes(3);
      const verb = command[1];
      if (verb === 'DESTROY') return { kind: 'destroyed', group };
      if (verb === 'CREATECONSUMER' || verb === 'DELCONSUMER')
        return { kind: 'consumer', group, consumer: bytes(4), isGone: verb === 'DELCONSUMER' };
      return {
        kind: 'group',
        group,
        state: { lastDelivered: text(4), entriesRead: after('ENTRIESREAD') },
      };
    }
    case 'XCLAIM': {
      const entry = { consumer: bytes(3), deliveredAt: after('TIME'), deliveries: after('RETRYCOUNT') };
      return { kind: 'pending', group: bytes(2), id: text(5), entry };
    }
    case 'XACK':
      return { kind: 'pending', group: bytes(2), id: text(3), entry: null };
    default:
      return undefined;
  }
};

/** Adds an edit to what is known of the stream's groups, by name. */
export const foldGroup = (groups: Map<string, GroupFold>, edit: GroupEdit): void => {
  const name = keyText(edit.group);
  let fold = groups.get(name);
  if (fold === undefined) {
    fold = {
      group: edit.group,
      isDestroyed: false,
      state: undefined,
      consumers: new Map(),
      pending: new Map(),
    };
    groups.set(name, fold);
  }
  switch (edit.kind) {
    case 'group':
      fold.state = edit.state;
      return;
    case 'destroyed':
      fold.isDestroyed = true;
      fold.state = undefined;
      fold.consumers.clear();
      fold.pending.clear();
      return;
    case 'consumer':
      fold.consumers.set(keyText(edit.consumer), { consumer: edit.consumer, isGone: edit.isGone });
      return;
    case 'pending':
      fold.pending.set(edit.id, edit.entry);
  }
};
