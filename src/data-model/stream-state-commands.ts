/** What a stream is besides its entries and groups; ids as text. */
export interface StreamStateText {
  readonly lastId: string;
  readonly entriesAdded: string;
  readonly maxDeletedId: string;
}

type Words = (string | Uint8Array)[];

/** The commands that give a stream its last id and counters, behind its entries. */
export const streamStateCommands = (
  key: Uint8Array,
  { lastId, entriesAdded, maxDeletedId }: StreamStateText,
): Words[] => {
  const added = ['XSETID', key, lastId, 'ENTRIESADDED', entriesAdded];
  // It was set back below the newest deleted id, which XSETID refuses to be told at once; that one is there already.
  return [isBelow(lastId, maxDeletedId) ? added : [...added, 'MAXDELETEDID', maxDeletedId]];
};

/**
 * The commands that make a stream before its entries, where those alone would not do: a stream without any, and one whose
 * last id was set back below the newest deleted one. The latter is told while it is empty: a Kvrocks does not let the last
 * id fall once there are entries.
 */
export const streamBeginCommands = (
  key: Uint8Array,
  { lastId, entriesAdded, maxDeletedId }: StreamStateText,
  isEmpty: boolean,
): Words[] => {
  const isSetBack = isBelow(lastId, maxDeletedId);
  if (!isEmpty && !isSetBack) return [];
  const empty: Words[] = [
    ['XGROUP', 'CREATE', key, 'tailrace', '0', 'MKSTREAM'],
    ['XGROUP', 'DESTROY', key, 'tailrace'],
  ];
  if (!isSetBack) return empty;
  return [
    ...empty,
    ['XSETID', key, maxDeletedId, 'ENTRIESADDED', entriesAdded, 'MAXDELETEDID', maxDeletedId],
    ['XSETID', key, '0-0'],
  ];
};

const isBelow = (left: string, right: string): boolean => {
  const [leftMs, leftSeq] = left.split('-').map(BigInt);
  const [rightMs, rightSeq] = right.split('-').map(BigInt);
  return leftMs === rightMs ? leftSeq < rightSeq : leftMs < rightMs;
};
