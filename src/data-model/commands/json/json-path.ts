import type { JsonArray, JsonObject, JsonValue } from './json-value.js';

/**
 * JSONPath as far as names, indexes, slices, `*` and `..` go: `$`, `$.a.b`, `$['a']`, `$.a[0]`, `$.a[-1]`,
 * `$.a[1:3]`, `$.*`, `$..a`. Filters are not understood. A path without `$` is one of the older kind, which
 * means its first match.
 */
export interface JsonPath {
  readonly steps: readonly PathStep[];
  readonly isLegacy: boolean;
}

type PathStep =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'slice'; readonly start: number | undefined; readonly end: number | undefined }
  | { readonly kind: 'all' }
  /** the value itself and everything below it that holds values, which the next step goes on from */
  | { readonly kind: 'descend' };

/** Where a value stands: in an array or object, under an index or name. */
export type JsonPlace =
  | { readonly holder: JsonArray; readonly at: number }
  | { readonly holder: JsonObject; readonly at: string };

/** Reads a path; undefined when it is none that is understood. */
export const parseJsonPath = (bytes: Uint8Array): JsonPath | undefined => {
  const given = Buffer.from(bytes).toString('utf8');
  const isLegacy = !given.startsWith('$');
  const text = isLegacy ? (given === '.' ? '' : /^[.[]/.test(given) ? given : `.${given}`) : given.slice(1);
  const steps: PathStep[] = [];
  for (let at = 0; at < text.length; ) {
    const token = [dotted, bracketed].map((pattern) => matchAt(pattern, text, at)).find((match) => match);
    if (token === undefined || token === null) return undefined;
    at += token[0].length;
    if (token[0].startsWith('..')) steps.push({ kind: 'descend' });
    const step = stepOf(token[1] ?? '', token[0].includes('['));
    if (step === undefined) return undefined;
    steps.push(step);
  }
  return { steps, isLegacy };
};

const dotted = /\.\.?([^.[\]'"]+)/y;
const bracketed = /(?:\.\.)?\[\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[-\d:*]+)\s*\]/y;

const matchAt = (pattern: RegExp, text: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at;
  return pattern.exec(text);
};

const stepOf = (content: string, isBracketed: boolean): PathStep | undefined => {
  if (content === '*') return { kind: 'all' };
  if (!isBracketed) return { kind: 'name', name: content };
  if (/^['"]/.test(content)) return { kind: 'name', name: content.slice(1, -1).replace(/\\(.)/g, '$1') };
  if (/^-?\d+$/.test(content)) return { kind: 'index', index: Number(content) };
  const slice = /^(-?\d+)?:(-?\d+)?$/.exec(content);
  if (slice === null) return undefined;
  const bound = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : Number(text);
  return { kind: 'slice', start: bound(slice[1]), end: bound(slice[2]) };
};

/** A document with a place for its root. */
export class JsonDocument {
  readonly #root: JsonArray;

  constructor(root: JsonValue) {
    this.#root = [root];
  }

  get root(): JsonValue {
    return this.#root[0] ?? null;
  }

  /** Every place that the path means, in the order of the document. */
  find(path: JsonPath): JsonPlace[] {
    let places: JsonPlace[] = [{ holder: this.#root, at: 0 }];
    for (const step of path.steps)
      places =
        step.kind === 'descend' ? holdersBelow(places) : places.flatMap((place) => follow(place, step));
    return places;
  }

  /** True when the place is the document itself. */
  isRoot(place: JsonPlace): boolean {
    return place.holder === this.#root;
  }

  /** Sets every match; a name that is missing is added to the objects that could have it. Answers how many. */
  set(path: JsonPath, value: () => JsonValue): number {
    const places = this.find(path);
    for (const place of places) setAt(place, value());
    const last = path.steps.at(-1);
    if (places.length > 0 || last?.kind !== 'name') return places.length;
    let added = 0;
    for (const parent of this.find({ ...path, steps: path.steps.slice(0, -1) })) {
      const object = valueAt(parent);
      if (!(object instanceof Map)) continue;
      object.set(last.name, value());
      added++;
    }
    return added;
  }
}

export const valueAt = (place: JsonPlace): JsonValue => {
  const value = Array.isArray(place.holder)
    ? place.holder[Number(place.at)]
    : place.holder.get(String(place.at));
  return value ?? null;
};

export const setAt = (place: JsonPlace, value: JsonValue): void => {
  if (Array.isArray(place.holder)) place.holder[Number(place.at)] = value;
  else place.holder.set(String(place.at), value);
};

export const removeAt = (place: JsonPlace): void => {
  if (Array.isArray(place.holder)) place.holder.splice(Number(place.at), 1);
  else place.holder.delete(String(place.at));
};

/** Each once, also where some of `places` are below others: `$..a..b` counts no match twice, nor does `..` explode. */
const holdersBelow = (places: readonly JsonPlace[]): JsonPlace[] => {
  const found: JsonPlace[] = [];
  const seen = new Set<JsonValue>();
  const visit = (place: JsonPlace): void => {
    const value = valueAt(place);
    if (!(Array.isArray(value) || value instanceof Map) || seen.has(value)) return;
    seen.add(value);
    found.push(place);
    for (const child of childrenOf(value)) visit(child);
  };
  for (const place of places) visit(place);
  return found;
};

const follow = (place: JsonPlace, step: Exclude<PathStep, { kind: 'descend' }>): JsonPlace[] => {
  const value = valueAt(place);
  if (step.kind === 'all') return childrenOf(value);
  if (step.kind === 'name')
    return value instanceof Map && value.has(step.name) ? [{ holder: value, at: step.name }] : [];
  if (!Array.isArray(value)) return [];
  const place0 = (index: number): number => (index < 0 ? value.length + index : index);
  if (step.kind === 'index') {
    const at = place0(step.index);
    return at >= 0 && at < value.length ? [{ holder: value, at }] : [];
  }
  const start = Math.max(0, place0(step.start ?? 0));
  const end = Math.min(value.length, place0(step.end ?? value.length));
  return Array.from({ length: Math.max(0, end - start) }, (_, i) => ({ holder: value, at: start + i }));
};

const childrenOf = (value: JsonValue): JsonPlace[] => {
  if (Array.isArray(value)) return value.map((_, at) => ({ holder: value, at }));
  return value instanceof Map ? [...value.keys()].map((at) => ({ holder: value, at })) : [];
};
