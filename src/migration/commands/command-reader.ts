import { TailraceError } from '../../errors/index.js';
import { type Reply, ReplyError } from '../../resp/index.js';
import { type KeyImage, unsupportedImage } from '../key-image.js';
import { type KeyPlace, placeOf } from '../key-place.js';
import type { KeyPart, KeyReader, PartLimit } from '../key-reader.js';
import { requireReply, type ServerConnection } from '../server-connection.js';
import { readKey } from './read-key.js';
import type { Command } from './reading.js';
import { runReadings, type Send } from './run-readings.js';
import { isForgotten, PartSize, readScanPage } from './scan-page.js';

/** How a server is asked for the sequence number of the newest write that a read can see. */
export interface SequenceQuestion {
  readonly command: Command;
  read(reply: Reply): number;
}

/**
 * Reads keys as any client of a Kvrocks can: SCAN for the names, the commands of each type for the values, large
 * collections in pages. What is read so belongs to no one moment: the sequence number before and behind it, and the log
 * between them, tell which keys did not change meanwhile.
 */
export class CommandReader implements KeyReader {
  readonly readsEveryNamespace = false;
  readonly #ns: string;
  readonly #connection: ServerConnection;
  readonly #sequence: SequenceQuestion;
  readonly #largestKeyBytes: number;
  /** Where the server's walk goes on. */
  #cursor = '0';
  #session = -1;
  /** The last key that was taken for reading: where the next part is expected to begin. */
  #taken: KeyPlace | undefined;
  readonly #partSize = new PartSize();

  /**
   * @param connection by which the keys of namespace `ns` are seen
   * @param largestKeyBytes keys of more bytes are told as unsupported as soon as so much of them was read
   */
  constructor(
    connection: ServerConnection,
    sequence: SequenceQuestion,
    ns = 'default',
    largestKeyBytes: number = Number.POSITIVE_INFINITY,
  ) {
    this.#largestKeyBytes = largestKeyBytes;
    this.#ns = ns;
    this.#connection = connection;
    this.#sequence = sequence;
  }

  async read(
    after: KeyPlace | undefined,
    again: readonly KeyPlace[],
    limit: PartLimit,
    signal: AbortSignal,
  ): Promise<KeyPart> {
    // A cursor belongs to one walk and one connection: otherwise names are scanned again, and those behind us skipped.
    const goesOn = after === undefined ? this.#taken === undefined : this.#taken?.equals(after) === true;
    const isSkipping = after !== undefined && (!goesOn || this.#session !== this.#connection.session);
    if (!goesOn || this.#session !== this.#connection.session) this.#cursor = '0';
    const count = Math.min(this.#partSize.keys, limit.maxKeys);
    const { names, low, isLast } = await this.#scan(after, count, isSkipping, signal);
    this.#taken = names.at(-1) ?? after;
    const part = await this.#readPlaces([...again, ...names], signal);
    this.#partSize.follow(part.images, limit.maxBytes, scanCount);
    return { ...part, rangeLow: low, walk: { end: isLast ? undefined : this.#taken } };
  }

  async readKeys(places: readonly KeyPlace[], isExact: boolean, signal: AbortSignal): Promise<KeyPart> {
    return isExact ? await this.#readExactly(places, signal) : await this.#readPlaces(places, signal);
  }

  /** Which connection reads come by. */
  get session(): number {
    return this.#connection.session;
  }

  async isSameSession(part: KeyPart, signal: AbortSignal): Promise<boolean> {
    return part.isDurable === true || (await this.#connection.isAlive(part.session, signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
  }

  /**
   * The names of the next part, at most `count` behind `after`, and the sequence number before they were scanned. They are
   * scanned anew for each part: a key that is made among names which wait to be read would be seen by nobody, once the log
   * has been brought behind it.
   *
   * @param isSkipping the walk has to come to `after` again, from its beginning
   */
  async #scan(
    after: KeyPlace | undefined,
    count: number,
    isSkipping: boolean,
    signal: AbortSignal,
  ): Promise<{ names: readonly KeyPlace[]; low: number; isLast: boolean }> {
    for (;;) {
      const page = await this.#scanPage(isSkipping ? scanCount : count, signal);
      const names = page.places.filter((place) => after === undefined || Buffer.compare(place, after) > 0);
      const isWhole = names.length <= count;
      // Those that are left over are scanned again with the next part.
      if (isWhole) this.#cursor = page.next;
      const isLast = isWhole && page.next === '0';
      if (names.length > 0 || isLast) return { names: names.slice(0, count), low: page.low, isLast };
    }
  }

  async #scanPage(
    count: number,
    signal: AbortSignal,
  ): Promise<{ places: readonly KeyPlace[]; next: string; low: number }> {
    const scan = (): Command => ['SCAN', this.#cursor, 'COUNT', count];
    let [sequence, reply] = await this.#connection.callAll(signal, [this.#sequence.command, scan()]);
    if (isForgotten(reply, this.#cursor)) {
      this.#cursor = '0';
      [sequence, reply] = await this.#connection.callAll(signal, [this.#sequence.command, scan()]);
    }
    this.#session = this.#connection.session;
    const { next, keys } = readScanPage(reply, this.#connection.place);
    const places: KeyPlace[] = [];
    for (const key of keys) {
      const place = placeOf(this.#ns, key);
      const last = places.at(-1);
      if (last !== undefined && Buffer.compare(place, last) <= 0) throw unordered(this.#connection.place);
      places.push(place);
    }
    return { places, next, low: this.#readSequence(sequence) };
  }

  async #readPlaces(places: readonly KeyPlace[], signal: AbortSignal): Promise<KeyPart> {
    let low: number | undefined;
    const send: Send = async (commands) => {
      if (low !== undefined) return await this.#connection.callAll(signal, commands);
      const [sequence, ...replies] = await this.#connection.callAll(signal, [
        this.#sequence.command,
        ...commands,
      ]);
      low = this.#readSequence(sequence);
      return replies;
    };
    const readings = places.map((place) => readKey(place, pageElements, this.#largestKeyBytes));
    const images = await runReadings(readings, send, asItIs);
    const high = this.#readSequence(await this.#connection.call(signal, ...this.#sequence.command));
    return this.#partOf(places, images, low ?? high, high);
  }

  /**
   * Reads under MULTI/EXEC, which makes the server's other clients wait. The commands must be known beforehand, so the keys
   * are read once as usual with their commands noted; where the same commands do not fit any more, the key is unsettled.
   */
  async #readExactly(places: readonly KeyPlace[], signal: AbortSignal): Promise<KeyPart> {
    const noted: Command[] = [];
    const note: Send = async (commands) => {
      for (const command of commands) noted.push(command);
      return await this.#connection.callAll(signal, commands);
    };
    await runReadings(
      places.map((place) => readKey(place, Number.POSITIVE_INFINITY, this.#largestKeyBytes)),
      note,
      asItIs,
    );
    const replies = await this.#connection.callAll(signal, [
      ['MULTI'],
      this.#sequence.command,
      ...noted,
      ['EXEC'],
    ]);
    const executed = requireReply(replies.at(-1), 'EXEC', this.#connection.place);
    const [sequence, ...values] = Array.isArray(executed) ? executed : [];
    const known = new Map(noted.map((command, at) => [commandText(command), values[at]]));
    const images: (KeyImage | undefined)[] = places.map((place) => {
      const reading = readKey(place, Number.POSITIVE_INFINITY, this.#largestKeyBytes);
      let step = reading.next([]);
      let refusal: string | undefined;
      while (step.done !== true) {
        const answers = step.value.map((command) => known.get(commandText(command)));
        if (answers.some((answer) => answer === undefined)) return undefined;
        const refused = answers.findIndex((answer) => answer instanceof ReplyError);
        if (refused >= 0) refusal = `${step.value[refused][0]}: ${(answers[refused] as ReplyError).message}`;
        step = reading.next(answers as Reply[]);
      }
      // All answers are of one moment: if they fit no key now, they never will.
      return step.value ?? unsupportedImage(place, incoherent(refusal));
    });
    const at = this.#readSequence(sequence);
    return this.#partOf(places, images, at, at);
  }

  #partOf(
    places: readonly KeyPlace[],
    images: readonly (KeyImage | undefined)[],
    low: number,
    high: number,
  ): KeyPart {
    return {
      images: images.filter((image) => image !== undefined),
      whole: undefined,
      walk: undefined,
      rangeLow: low,
      low,
      high,
      unsettled: places.filter((_, at) => images[at] === undefined),
      session: this.#connection.session,
    };
  }

  #readSequence(reply: Reply | undefined): number {
    return this.#sequence.read(
      requireReply(reply, 'the question for its sequence number', this.#connection.place),
    );
  }
}

const asItIs = (image: KeyImage): KeyImage => image;

const scanCount = 1_000;
const pageElements = 1_000;

/** Words one by one, so that different commands have different texts. */
const commandText = (command: Command): string =>
  JSON.stringify(
    command.map((word) => (typeof word === 'object' ? Buffer.from(word).toString('latin1') : String(word))),
  );

const incoherent = (refusal: string | undefined): string =>
  `the server's answers about it contradict each other${refusal === undefined ? '' : `, the last one being ${refusal}`}`;

const unordered = (place: string): TailraceError =>
  new TailraceError('SOURCE_UNSUPPORTED', `${place} does not give its keys in order`, {
    context: { server: place },
    remedy:
      'The source must be Apache Kvrocks or tailrace serve; its SCAN must walk the keys in their order.',
  });
