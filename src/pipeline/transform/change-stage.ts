import { type Change, type Transaction, Turns, withChanges } from '../../kit/index.js';
import type { TransactionTransform } from '../branch.js';
import { compileFilter, type FilterOptions } from '../change-filter.js';

/** One step of a transform: the changes of a transaction become others. Gives back the same array when it changes nothing. */
export interface ChangeStage {
  /** True when it may add changes: then the changes of the result are numbered anew. */
  readonly adds: boolean;
  apply(changes: readonly Change[], transaction: Transaction): readonly Change[] | Promise<readonly Change[]>;
}

/** The stages one after the other; the transaction keeps its range and its bytes. Undefined when there are none. */
export const chainStages = (stages: readonly ChangeStage[]): TransactionTransform | undefined => {
  if (stages.length === 0) return undefined;
  const adds = stages.some((stage) => stage.adds);
  const staged = (transaction: Transaction, changes: readonly Change[]): Transaction =>
    changes === transaction.changes
      ? transaction
      : withChanges(transaction, adds ? changes.map(numbered) : changes);
  const applyFrom = async (
    from: number,
    pending: Promise<readonly Change[]>,
    transaction: Transaction,
  ): Promise<Transaction> => {
    let changes = await pending;
    for (let at = from; at < stages.length; at++) changes = await stages[at].apply(changes, transaction);
    return staged(transaction, changes);
  };
  // Without a promise as long as no stage asks for one: that is most of them.
  return (transaction) => {
    let { changes } = transaction;
    for (let at = 0; at < stages.length; at++) {
      const applied = stages[at].apply(changes, transaction);
      if (applied instanceof Promise) return applyFrom(at + 1, applied, transaction);
      changes = applied;
    }
    return staged(transaction, changes);
  };
};

const numbered = (change: Change, index: number): Change =>
  change.index === index ? change : { ...change, index };

/** Lets through what a filter lets through. */
export const filterStage = (options: FilterOptions): ChangeStage => {
  const passes = compileFilter(options);
  return editStage((change) => (passes(change) ? change : undefined));
};

/** Replaces single changes; `edit` gives back the change itself, another, several, or none. Of many, in turns. */
export const editStage = (
  edit: (change: Change) => Change | readonly Change[] | undefined,
  adds = false,
): ChangeStage => {
  /** Edits up to `to` behind what was edited before: undefined as long as every change stays as it is. */
  const editPart = (
    changes: readonly Change[],
    from: number,
    to: number,
    before: Change[] | undefined,
  ): Change[] | undefined => {
    let edited = before;
    for (let at = from; at < to; at++) {
      const change = changes[at];
      const result = edit(change);
      if (result === change) {
        edited?.push(change);
        continue;
      }
      edited ??= changes.slice(0, at);
      if (Array.isArray(result)) edited.push(...result);
      else if (result !== undefined) edited.push(result as Change);
    }
    return edited;
  };
  const editInTurns = async (changes: readonly Change[]): Promise<readonly Change[]> => {
    const turns = new Turns();
    let edited: Change[] | undefined;
    for (let from = 0; from < changes.length; from += changesInTurn) {
      edited = editPart(changes, from, Math.min(changes.length, from + changesInTurn), edited);
      if (turns.isOver) await turns.next();
    }
    return edited ?? changes;
  };
  return {
    adds,
    apply: (changes) =>
      changes.length > changesInTurn
        ? editInTurns(changes)
        : (editPart(changes, 0, changes.length, undefined) ?? changes),
  };
};

/** What stands between two looks at the clock. */
const changesInTurn = 1_000;
