import { encodeSubKeyPrefix } from '../encoding/keys.js';
import type { Metadata } from '../encoding/metadata.js';

/** The metadata of a key with elements, and what its sub-keys start with. It changes as the key does. */
export class KnownKey implements Metadata {
  readonly namespace: string;
  readonly userKey: Buffer;
  readonly hash: number;
  readonly type: Metadata['type'];
  readonly version: Buffer;
  /** What every sub-key starts with. Never to be written. */
  readonly subKeyPrefix: Buffer;
  expireMs: number;
  size: number;
  payload: Buffer;

  constructor(namespace: string, prefix: Uint8Array, userKey: Uint8Array, hash: number, metadata: Metadata) {
    this.namespace = namespace;
    this.userKey = Buffer.from(userKey);
    this.hash = hash;
    this.type = metadata.type;
    this.version = Buffer.from(metadata.version);
    this.subKeyPrefix = encodeSubKeyPrefix(prefix, userKey, metadata.version);
    this.expireMs = metadata.expireMs;
    this.size = metadata.size;
    this.payload = Buffer.from(metadata.payload);
  }

  isKey(namespace: string, userKey: Uint8Array): boolean {
    const own = this.userKey;
    const { length } = own;
    if (userKey.length !== length || this.namespace !== namespace) return false;
    for (let i = length - 1; i >= 0; i--) if (own[i] !== userKey[i]) return false;
    return true;
  }

  change(expireMs: number, size: number, payload: Uint8Array): void {
    this.expireMs = expireMs;
    this.size = size;
    if (payload === this.payload) return;
    const { length } = payload;
    if (length !== this.payload.length) this.payload = Buffer.from(payload);
    else if (length > longestLooped) this.payload.set(payload);
    else for (let i = 0; i < length; i++) this.payload[i] = payload[i];
  }
}

/**
 * The metadata of keys that commands used lately, so that a command on a hot list, set, hash or sorted set neither looks
 * it up nor decodes it.
 *
 * Invariant: what is known is what the store holds at `#sequence`. Who commits through a context tells what it wrote
 * (`advance`); a commit of anybody else leaves the store at another sequence number, and then all is forgotten. Strings
 * are not kept: their metadata is their value. Hot: bench `server`.
 */
export class KnownKeys {
  readonly #slots: (KnownKey | undefined)[] = new Array(slotCount).fill(undefined);
  /** Hash of the key that was last looked for in vain, by slot: a key is kept when it comes twice. */
  readonly #missed = new Uint32Array(slotCount);
  #count = 0;
  #sequence = -1;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** What is known of a key of the store that stands at `sequence`. */
  find(sequence: number, namespace: string, userKey: Uint8Array): KnownKey | undefined {
    if (this.#count === 0) return undefined;
    if (sequence !== this.#sequence) {
      this.#clear();
      return undefined;
    }
    const known = this.#slots[hashOf(userKey) & slotMask];
    return known?.isKey(namespace, userKey) ? known : undefined;
  }

  /** Takes note of what the store holds of a key at `sequence`; undefined until the key has come twice. */
  learn(
    sequence: number,
    namespace: string,
    prefix: Uint8Array,
    userKey: Uint8Array,
    metadata: Metadata,
  ): KnownKey | undefined {
    if (userKey.length > longestKeyBytes || metadata.payload.length > longestPayloadBytes) return undefined;
    const hash = hashOf(userKey);
    const slot = hash & slotMask;
    if (this.#missed[slot] !== hash) {
      this.#missed[slot] = hash;
      return undefined;
    }
    if (sequence !== this.#sequence) {
      this.#clear();
      this.#sequence = sequence;
    }
    const known = new KnownKey(namespace, prefix, userKey, hash, metadata);
    if (this.#slots[slot] === undefined) this.#count++;
    this.#slots[slot] = known;
    return known;
  }

  /** A key is about to change in a way that nothing is told of. */
  forget(userKey: Uint8Array): void {
    if (this.#count > 0) this.#drop(hashOf(userKey) & slotMask);
  }

  forgetAll(): void {
    if (this.#count > 0) this.#clear();
  }

  /** The store went from one sequence number to another by a commit of which all is told. */
  advance(from: number, to: number): void {
    if (from === this.#sequence) this.#sequence = to;
  }

  #drop(slot: number): void {
    if (this.#slots[slot] === undefined) return;
    this.#slots[slot] = undefined;
    this.#count--;
  }

  #clear(): void {
    this.#slots.fill(undefined);
    this.#count = 0;
  }
}

/** Of the length and all bytes. */
const hashOf = (bytes: Uint8Array): number => {
  let hash = bytes.length;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  hash ^= hash >>> 15;
  return hash >>> 0;
};

const slotCount = 1024;
const slotMask = slotCount - 1;
const longestKeyBytes = 256;
/** Up to this length a loop is quicker than a call. */
const longestLooped = 32;
const longestPayloadBytes = 256;
