import { prefixSuccessor } from '../../bytes/index.js';
import { type KeyPlace, keyAt, placeOf } from '../key-place.js';
import type { KeyPart, KeyReader, PartLimit } from '../key-reader.js';

/** The keys of one namespace, by a connection of its own. */
export interface NamespaceReader {
  readonly ns: string;
  readonly reader: KeyReader & {
    /** Which connection reads come by: counts from 0, when there was none. */
    readonly session: number;
  };
}

interface Walked extends NamespaceReader {
  /** Every key of the namespace begins so. */
  readonly begin: KeyPlace;
  /** Behind every key of the namespace. */
  readonly end: KeyPlace | undefined;
}

/** Reads several namespaces of a Kvrocks, which shows each by its own token, one behind the other in the order of places. */
export class NamespacesReader implements KeyReader {
  readonly readsEveryNamespace = true;
  readonly #namespaces: readonly Walked[];

  constructor(namespaces: readonly NamespaceReader[]) {
    this.#namespaces = namespaces
      .map(({ ns, reader }) => {
        const begin = placeOf(ns, noBytes);
        return { ns, reader, begin, end: prefixSuccessor(begin) };
      })
      .sort((a, b) => Buffer.compare(a.begin, b.begin));
  }

  async read(
    after: KeyPlace | undefined,
    again: readonly KeyPlace[],
    limit: PartLimit,
    signal: AbortSignal,
  ): Promise<KeyPart> {
    const at =
      after === undefined
        ? 0
        : this.#namespaces.findIndex(({ end }) => end === undefined || Buffer.compare(after, end) < 0);
    const current = this.#namespaces[at];
    if (current === undefined)
      return { ...(await this.readKeys(again, false, signal)), walk: { end: undefined } };
    const isInside = after?.subarray(0, current.begin.length).equals(current.begin) === true;
    const own = again.filter((place) => keyAt(place).ns === current.ns);
    // The end of one namespace may be the place of the next one's empty key, which nobody has read then.
    if (isInside && after?.length === current.begin.length) own.push(current.begin);
    const part = await current.reader.read(isInside ? after : undefined, own, limit, signal);
    const isLast = at === this.#namespaces.length - 1;
    const end = part.walk?.end ?? (isLast ? undefined : current.end && Buffer.from(current.end));
    const others = again.filter((place) => keyAt(place).ns !== current.ns);
    const joined = others.length === 0 ? part : join([part, await this.readKeys(others, false, signal)]);
    return { ...joined, rangeLow: part.rangeLow, walk: { end }, session: this.#session };
  }

  async readKeys(places: readonly KeyPlace[], isExact: boolean, signal: AbortSignal): Promise<KeyPart> {
    const parts: KeyPart[] = [];
    for (const { ns, reader } of this.#namespaces) {
      const own = places.filter((place) => keyAt(place).ns === ns);
      // Of no key at all the first is asked for the moment.
      if (own.length > 0 || places.length === 0) parts.push(await reader.readKeys(own, isExact, signal));
      // Those of another one, read at another moment, would not be exact together.
      if (places.length === 0 || (isExact && own.length > 0)) break;
    }
    return { ...join(parts), session: this.#session };
  }

  async isSameSession(part: KeyPart, signal: AbortSignal): Promise<boolean> {
    if (part.isDurable === true) return true;
    if (part.session !== this.#session) return false;
    for (const { reader } of this.#namespaces)
      if (reader.session > 0 && !(await reader.isSameSession({ ...part, session: reader.session }, signal)))
        return false;
    return part.session === this.#session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { reader } of this.#namespaces) await reader[Symbol.asyncDispose]();
  }

  /** Each count only grows, so that the sum is the same when all are. */
  get #session(): number {
    return this.#namespaces.reduce((sum, { reader }) => sum + reader.session, 0);
  }
}

/** What holds for each part holds for all of them between the lowest and the highest moment. */
const join = (parts: readonly KeyPart[]): KeyPart => {
  const [first] = parts;
  return {
    ...first,
    images: parts.flatMap(({ images }) => images),
    unsettled: parts.flatMap(({ unsettled }) => unsettled),
    low: Math.min(...parts.map(({ low }) => low)),
    high: Math.max(...parts.map(({ high }) => high)),
    rangeLow: Math.min(...parts.map(({ rangeLow }) => rangeLow)),
  };
};

const noBytes = Buffer.alloc(0);
