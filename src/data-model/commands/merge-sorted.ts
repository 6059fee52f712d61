/** Two lists in the order of `compare`, neither with two alike, as one; of what stands in both, `join` makes one. */
export const mergeSorted = <Item>(
  first: readonly Item[],
  second: readonly Item[],
  compare: (a: Item, b: Item) => number,
  join: (ofFirst: Item, ofSecond: Item) => Item,
): Item[] => {
  const all: Item[] = [];
  let at = 0;
  for (const item of second) {
    let order = -1;
    for (; at < first.length; all.push(first[at++])) {
      order = compare(first[at], item);
      if (order >= 0) break;
    }
    all.push(order === 0 ? join(first[at++], item) : item);
  }
  while (at < first.length) all.push(first[at++]);
  return all;
};
