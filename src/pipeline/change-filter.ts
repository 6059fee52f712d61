import { type Change, matchesGlob, type Transaction, withChanges } from '../kit/index.js';

/** Which changes pass. A list that is absent lets all pass; `keys` are globs as Redis has them. */
export interface FilterOptions {
  readonly keys?: readonly string[];
  readonly excludeKeys?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly types?: readonly string[];
  readonly ops?: readonly string[];
}

/** True for a change that is wanted. */
export type ChangePredicate = (change: Change) => boolean;

/**
 * A predicate over changes. Changes without a key (a cleared namespace, a published message) are not subject to
 * key patterns; a deleted or expiring key passes a list of types, since the log does not always tell its type.
 */
export const compileFilter = (options: FilterOptions): ChangePredicate => {
  const include = options.keys?.map((pattern) => Buffer.from(pattern));
  const exclude = options.excludeKeys?.map((pattern) => Buffer.from(pattern));
  const namespaces = options.namespaces && new Set(options.namespaces);
  const types = options.types && new Set<string>([...options.types, 'key', 'namespace', 'all']);
  const ops = options.ops && new Set<string>(options.ops);
  return (change) => {
    if (ops !== undefined && !ops.has(change.op)) return false;
    if (types !== undefined && !types.has(change.type)) return false;
    if (namespaces !== undefined && !namespaces.has(change.ns)) return false;
    if (!('key' in change)) return true;
    const { key } = change;
    if (include !== undefined && !include.some((pattern) => matchesGlob(pattern, key))) return false;
    return exclude === undefined || !exclude.some((pattern) => matchesGlob(pattern, key));
  };
};

/** The transaction with only the changes that pass; it keeps its range, so that positions move on. */
export const filterTransaction = (transaction: Transaction, passes: ChangePredicate): Transaction => {
  const changes = transaction.changes.filter(passes);
  return changes.length === transaction.changes.length ? transaction : withChanges(transaction, changes);
};
