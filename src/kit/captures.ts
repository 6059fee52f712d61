/**
 * What the captures of a pattern stand for in a key; undefined when the key does not match. `literals` are what stands before,
 * between and behind the captures, '' where nothing does. Each capture is one character at least and as few as possible, the
 * last one takes the rest. Each literal is looked for once, so that no key, however long, takes more than one walk: a
 * regular expression tries all ways to cut a key that does not match.
 */
export const capturesOf = (key: string, literals: readonly string[]): readonly string[] | undefined => {
  const [head = '', ...others] = literals;
  const tail = others.pop();
  if (tail === undefined) return key === head ? [] : undefined;
  if (!key.startsWith(head) || !key.endsWith(tail)) return undefined;
  const captures: string[] = [];
  let from = head.length;
  for (const literal of others) {
    const end = key.indexOf(literal, from + 1);
    if (end < 0) return undefined;
    captures.push(key.slice(from, end));
    from = end + literal.length;
  }
  const end = key.length - tail.length;
  if (end <= from) return undefined;
  captures.push(key.slice(from, end));
  return captures;
};
