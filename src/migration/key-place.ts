import { defaultNamespace, encodeMetadataKey, namespacePrefix } from '../data-model/index.js';

/**
 * A key's place in the order of the source's walk, which is the order of its metadata keys:
 *
 *   | ns_len u8 | namespace | user key … |
 */
export type KeyPlace = Buffer;

/** The place of a key of a namespace as changes name it (`default` is `__namespace`). */
export const placeOf = (ns: string, key: Uint8Array): KeyPlace => encodeMetadataKey(prefixOf(ns), key);

/** The key at a place, and its namespace. Borrows `place`. */
export const keyAt = (place: KeyPlace): { readonly ns: string; readonly key: Buffer } => {
  const end = 1 + place[0];
  const ns = place.toString('utf8', 1, end);
  return { ns: ns === defaultNamespace ? 'default' : ns, key: place.subarray(end) };
};

/** The place as text, for maps and sets. */
export const placeName = (place: KeyPlace): string => place.toString('latin1');

export const placeOfName = (name: string): KeyPlace => Buffer.from(name, 'latin1');

const prefixOf = (ns: string): Buffer => {
  const known = prefixes.get(ns);
  if (known !== undefined) return known;
  const prefix = namespacePrefix(ns === 'default' ? defaultNamespace : ns);
  prefixes.set(ns, prefix);
  return prefix;
};

const prefixes = new Map<string, Buffer>();
