/**
 * The commands that give a stream its last id and counters; ids as text. An id that was set below the newest deleted one,
 * which XSETID refuses to do at once, is set behind it.
 */
export const streamStateCommands = (
  key: Uint8Array,
  state: { readonly lastId: string; readonly entriesAdded: string; readonly maxDeletedId: string },
): (string | Uint8Array)[][] => {
  const { lastId, entriesAdded, maxDeletedId } = state;
  const counters = ['ENTRIESADDED', entriesAdded, 'MAXDELETEDID', maxDeletedId];
  if (!isBelow(lastId, maxDeletedId)) return [['XSETID', key, lastId, ...counters]];
  return [
    ['XSETID', key, maxDeletedId, ...counters],
    ['XSETID', key, lastId],
  ];
};

const isBelow = (left: string, right: string): boolean => {
  const [leftMs, leftSeq] = left.split('-').map(BigInt);
  const [rightMs, rightSeq] = right.split('-').map(BigInt);
  return leftMs === rightMs ? leftSeq < rightSeq : leftMs < rightMs;
};
