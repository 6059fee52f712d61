import { encodeCommand, type Reply, ReplyError } from '../../resp/index.js';
import type { KeyImage } from '../key-image.js';
import { type KeyPlace, keyAt, placeName, placeOf } from '../key-place.js';
import type { RecordFilter } from '../raw/record-filter.js';
import { type RecordSource, ServerRecords } from '../raw/record-source.js';
import { RecordReader } from '../record-reader.js';
import type { ServerConnection } from '../server-connection.js';
import {
  type ComparedTarget,
  type ComparedValue,
  comparedValue,
  type TargetString,
} from './compared-target.js';
import { isPositionKey } from './position-key.js';

/** A tailrace to which records were copied as they are: every type and namespace is compared as it stands there. */
export class RecordTarget implements ComparedTarget {
  readonly #connection: ServerConnection;
  readonly #keys: RecordReader;
  readonly #records: RecordSource;
  readonly #source: RecordSource;
  readonly #filter: RecordFilter;
  readonly #ownKey: Buffer;

  /** @param source gives what is repaired */
  constructor(
    connection: ServerConnection,
    { source, filter, ownKey }: { source: RecordSource; filter: RecordFilter; ownKey: string },
  ) {
    this.#connection = connection;
    this.#keys = new RecordReader(connection);
    this.#records = new ServerRecords(connection);
    this.#source = source;
    this.#filter = filter;
    this.#ownKey = placeOf('default', Buffer.from(ownKey));
  }

  nameIn(ns: string, key: Buffer): Buffer {
    return placeOf(ns, key);
  }

  placesOf(name: Buffer): readonly KeyPlace[] {
    return [name];
  }

  isOwn(name: Buffer): boolean {
    if (name.equals(this.#ownKey)) return true;
    const { ns, key } = keyAt(name);
    return ns === 'default' && isPositionKey(key);
  }

  async readStrings(names: readonly Buffer[], signal: AbortSignal): Promise<TargetString[]> {
    const images = await this.#readImages(names, signal);
    return images.map((image): TargetString => {
      const [put] = image?.changes ?? [];
      const isString = put?.op === 'put' && put.type === 'string';
      return isString
        ? { value: Buffer.from(put.value), ttlAt: put.ttlAt }
        : { value: null, ttlAt: undefined };
    });
  }

  async readValues(places: readonly KeyPlace[], signal: AbortSignal): Promise<(ComparedValue | undefined)[]> {
    return (await this.#readImages(places, signal)).map((image) => image && comparedValue(image));
  }

  async compareRecords(place: KeyPlace, signal: AbortSignal): Promise<'same' | 'different' | 'changing'> {
    const read = async (records: RecordSource): Promise<Buffer> =>
      Buffer.concat(await records.recordsOf(place, signal));
    const before = await read(this.#source);
    const theirs = await read(this.#records);
    if (theirs.equals(before)) return 'same';
    const behind = await read(this.#source);
    if (theirs.equals(behind)) return 'same';
    return behind.equals(before) ? 'different' : 'changing';
  }

  /** Of other namespaces, and of expired keys, no command tells. */
  async count(): Promise<number> {
    return Number.POSITIVE_INFINITY;
  }

  async *scan(signal: AbortSignal): AsyncGenerator<readonly Buffer[]> {
    let after: KeyPlace | undefined;
    do {
      const part = await this.#keys.read(after, [], scanLimit, signal);
      yield part.images.map(({ place }) => place);
      after = part.walk?.end;
    } while (after !== undefined);
  }

  async randomNames(count: number, signal: AbortSignal): Promise<readonly Buffer[]> {
    const asks = Array.from({ length: count }, () => ['RANDOMKEY']);
    const found: Reply[] = await this.#connection.callAll(signal, asks);
    return found.flatMap((name) => (name instanceof Buffer ? [placeOf('default', name)] : []));
  }

  /** With the records of the source, so that the types of Kvrocks stay what they are. */
  async repair({ place }: KeyImage, signal: AbortSignal): Promise<string | undefined> {
    const records = await this.#source.recordsOf(place, signal);
    const { bytes } = this.#filter.replace(place, records);
    const reply = await this.#connection.sendEncoded(signal, encodeCommand('APPLYBATCH', bytes), 1);
    return reply[0] instanceof ReplyError ? reply[0].message : undefined;
  }

  async #readImages(places: readonly KeyPlace[], signal: AbortSignal): Promise<(KeyImage | undefined)[]> {
    const { images } = await this.#keys.readKeys(places, false, signal);
    const byName = new Map(images.map((image) => [placeName(image.place), image]));
    return places.map((place) => byName.get(placeName(place)));
  }
}

const scanLimit = { maxKeys: 4_000, maxBytes: 1024 * 1024 };
