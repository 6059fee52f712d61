import { type Change, type Transaction, Turns, type ValueType } from '../../src/kit/index.js';
import { foldGroup, type GroupFold, groupEdit } from './group-fold.js';
import { keyText } from './text-bytes.js';

type Put = Extract<Change, { op: 'put' }>;
type Delete = Extract<Change, { op: 'delete' }>;

/** A change of one part of a key: a field, a member, an entry, a fragment. */
export type ElementChange =
  | Exclude<Put, { type: 'string' | 'json' } | { type: 'list' }>
  | Exclude<Delete, { type: 'key' }>;

/** What is done to a list, in order. */
export type ListChange = Extract<Change, { type: 'list'; op: 'put' | 'push' | 'pop' }>;

/** A string or a JSON document as a whole. */
export interface WholeValue {
  readonly type: 'string' | 'json';
  readonly value: Uint8Array;
  /** ms since 1970 */
  readonly ttlAt: number | undefined;
}

/** What a batch makes of one key, whatever it held before. */
export interface KeyPlan {
  readonly ns: string;
  readonly key: Uint8Array;
  /** What the target holds of the key from before the batch goes, of whatever type. */
  isReset: boolean;
  /** Type of a collection; undefined for whole values, and when nothing is left. */
  type: ValueType | undefined;
  whole: WholeValue | undefined;
  /** The last change of each element. */
  elements: Map<string, ElementChange> | undefined;
  list: ListChange[] | undefined;
  /** Groups of a stream that the batch touches, by name. */
  groups: Map<string, GroupFold> | undefined;
  /** undefined: as it was; null: none; else ms since 1970. Of collections alone. */
  expiry: number | null | undefined;
  /** Bytes of a bitmap, where they go beyond its last fragment. */
  size: number | undefined;
  /** False when the batch only changes the expiry of a collection: one that the target lacks is not made. */
  isMade: boolean;
}

/**
 * A batch folded to what it leads to: one plan for each key it touches, so that each row is written once. Lists keep all
 * of their changes, since where these apply depends on what the target holds.
 */
export interface BatchFold {
  /** Everything in the target is gone first. */
  readonly isAllCleared: boolean;
  /** Namespaces of which everything in the target is gone first. */
  readonly cleared: ReadonlySet<string>;
  readonly plans: readonly KeyPlan[];
}

/** Hot for strings and hashes; measured by bench `postgres-sink`. */
export const foldBatch = async (transactions: readonly Transaction[]): Promise<BatchFold> => {
  const turns = new Turns();
  const namespaces = new Map<string, Map<string, KeyPlan>>();
  const cleared = new Set<string>();
  let isAllCleared = false;
  for (const { changes } of transactions)
    for (const change of changes) {
      if (turns.isOverAfterStep()) await turns.next();
      if (change.op === 'publish' || change.op === 'propagate') continue; // no data
      if (change.op === 'clear') {
        if (change.type === 'all') {
          isAllCleared = true;
          namespaces.clear();
        } else {
          cleared.add(change.ns);
          namespaces.delete(change.ns);
        }
        continue;
      }
      let plans = namespaces.get(change.ns);
      if (plans === undefined) {
        plans = new Map();
        namespaces.set(change.ns, plans);
      }
      const name = keyText(change.key);
      let plan = plans.get(name);
      if (plan === undefined) {
        plan = emptyPlan(change.ns, change.key);
        plans.set(name, plan);
      }
      foldChange(plan, change);
    }
  return { isAllCleared, cleared, plans: [...namespaces.values()].flatMap((plans) => [...plans.values()]) };
};

type KeyedChange = Exclude<Change, { op: 'publish' | 'propagate' | 'clear' }>;

const foldChange = (plan: KeyPlan, change: KeyedChange): void => {
  switch (change.op) {
    case 'put':
      if ('ttlAt' in change) {
        reset(plan);
        plan.whole = { type: change.type, value: change.value, ttlAt: change.ttlAt };
      } else if (change.type === 'list') foldList(plan, change);
      else {
        make(plan, change.type);
        foldElement(plan, change);
      }
      return;
    case 'push':
    case 'pop':
      foldList(plan, change);
      return;
    case 'delete':
      if (change.type === 'key') reset(plan);
      else {
        plan.type ??= change.type;
        foldElement(plan, change);
      }
      return;
    case 'expire':
    case 'persist':
      foldExpiry(plan, change);
      return;
    case 'streamMeta': {
      make(plan, change.type);
      const edit = groupEdit(change);
      if (edit === undefined) return;
      plan.groups ??= new Map();
      foldGroup(plan.groups, edit);
    }
  }
};

const foldList = (plan: KeyPlan, change: ListChange): void => {
  make(plan, 'list');
  plan.list ??= [];
  plan.list.push(change);
};

const foldExpiry = (plan: KeyPlan, change: Extract<Change, { op: 'expire' | 'persist' }>): void => {
  const ttlAt = change.op === 'expire' ? change.ttlAt : undefined;
  if (change.value !== undefined && (change.type === 'string' || change.type === 'json')) {
    reset(plan);
    plan.whole = { type: change.type, value: change.value, ttlAt };
    return;
  }
  plan.type ??= change.type;
  plan.expiry = ttlAt ?? null;
};

const foldElement = (plan: KeyPlan, change: ElementChange): void => {
  if (change.type === 'hyperloglog' && change.value.length === 0) return; // only makes the key
  plan.elements ??= new Map();
  const name = elementName(change);
  if (change.type !== 'bitmap') {
    plan.elements.set(name, change);
    return;
  }
  if (change.size !== undefined) plan.size = change.size;
  if (change.value.length === 0) return;
  // A fragment may come without the zeros at its end: what stood there stays.
  const before = plan.elements.get(name);
  const isLonger = before?.type === 'bitmap' && before.value.length > change.value.length;
  const value = isLonger
    ? Buffer.concat([change.value, before.value.subarray(change.value.length)])
    : change.value;
  plan.elements.set(name, { ...change, value });
};

const elementName = (change: ElementChange): string => {
  switch (change.type) {
    case 'hash':
      return keyText(change.field);
    case 'set':
    case 'zset':
      return keyText(change.member);
    case 'sortedint':
    case 'stream':
      return String(change.id);
    case 'bitmap':
      return String(change.offset);
    case 'hyperloglog':
      return String(change.segment);
  }
};

/** A monomorphic shape for the hot path. */
const emptyPlan = (ns: string, key: Uint8Array): KeyPlan => ({
  ns,
  key,
  isReset: false,
  type: undefined,
  whole: undefined,
  elements: undefined,
  list: undefined,
  groups: undefined,
  expiry: undefined,
  size: undefined,
  isMade: false,
});

const reset = (plan: KeyPlan): void => {
  plan.isReset = true;
  plan.type = undefined;
  plan.whole = undefined;
  plan.elements = undefined;
  plan.list = undefined;
  plan.groups = undefined;
  plan.expiry = undefined;
  plan.size = undefined;
  plan.isMade = false;
};

/** The key is a collection of this type from here on. */
const make = (plan: KeyPlan, type: ValueType): void => {
  if (plan.whole !== undefined || (plan.type !== undefined && plan.type !== type)) reset(plan);
  plan.type = type;
  plan.isMade = true;
};
