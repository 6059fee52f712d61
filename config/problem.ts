/** Where a value stands in a configuration file. Lines and columns count from 1. */
export interface FilePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Path of the value, such as `sinks[0].url`; empty for the file as a whole. */
  readonly path: string;
}

/** Something wrong in a configuration file, and where. */
export interface Problem extends FilePlace {
  readonly message: string;
}

/** `file:line:column path: message`, as editors and compilers show places. */
export const formatProblem = ({ file, line, column, path, message }: Problem): string =>
  `${file}:${line}:${column} ${path === '' ? '' : `${path}: `}${message}`;

/** ` (did you mean "x"?)` for the nearest of `known`, when one is near enough. */
export const suggest = (word: string, known: readonly string[]): string => {
  let best = '';
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best === '' ? '' : ` (did you mean "${best}"?)`;
};

/** Insertions, deletions and replacements that make one word the other. */
const editDistance = (a: string, b: string): number => {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++)
      current.push(
        Math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    previous = current;
  }
  return previous[b.length];
};
