import { defaultNamespace } from '../encoding/keys.js';

/** Namespaces as users know them, read from keys. The one read last is remembered: nearly all keys of a batch have the same. */
export class NamespaceNames {
  #bytes: Buffer = Buffer.from(defaultNamespace);
  #name = shownNamespace(defaultNamespace);
  #prefixText = prefixTextOf(this.#bytes);

  /** The namespace of the key that begins at `keyStart`. */
  at(bytes: Buffer, keyStart: number): string {
    const length = bytes[keyStart];
    const known = this.#bytes;
    let isKnown = known.length === length;
    for (let at = 0; isKnown && at < length; at++) isKnown = bytes[keyStart + 1 + at] === known[at];
    if (!isKnown) {
      this.#bytes = Buffer.from(bytes.subarray(keyStart + 1, keyStart + 1 + length));
      this.#name = shownNamespace(this.#bytes.toString());
      this.#prefixText = prefixTextOf(this.#bytes);
    }
    return this.#name;
  }

  /** What keys of the namespace that was read last start with, one character a byte. */
  get prefixText(): string {
    return this.#prefixText;
  }
}

/** `default` is what users call the namespace that the store calls `__namespace`. */
const shownNamespace = (name: string): string => (name === defaultNamespace ? shownDefault : name);

/** The namespace of what belongs to none. */
export const shownDefault = 'default';

const prefixTextOf = (namespace: Buffer): string =>
  String.fromCharCode(namespace.length) + namespace.toString('latin1');
