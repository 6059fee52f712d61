import { TailraceError } from '../../errors/index.js';
import type { Change, ValueType } from '../change.js';
import { typeOfNumber } from '../encoding/type-number.js';
import type { EventSource } from './event-encoder.js';

/** A change event read back. Byte strings are owned. */
export interface ParsedEvent {
  readonly source: EventSource;
  readonly tx: { readonly first: number; readonly last: number; readonly size: number };
  readonly change: Change;
}

/**
 * Reads one line as EventEncoder writes it.
 * @throws TailraceError `EVENT_INVALID` with what is wrong, when it is no change event of version 1.
 */
export const parseEvent = (line: string): ParsedEvent => {
  const event = new EventFields(parseObject(line), 'the event');
  if (event.number('v') !== 1) throw invalid('its version is not 1');
  const source = event.object('source');
  const tx = event.object('tx');
  return {
    source: { connector: source.text('connector'), name: source.text('name') },
    tx: { first: tx.number('first'), last: tx.number('last'), size: tx.number('size') },
    change: parseChange(event),
  };
};

/** Every change is written out: to spread the fields that all have costs more than to parse the line. */
const parseChange = (event: EventFields): Change => {
  const seq = event.number('seq');
  const index = event.number('index');
  const ns = event.text('ns');
  const op = event.text('op');
  const type = event.text('type');
  if (op === 'clear') {
    if (type !== 'namespace' && type !== 'all' && type !== 'slot') throw unknownKind(op, type);
    return { seq, index, ns, op, type, slot: event.optional('slot', event.number) };
  }
  if (op === 'publish' && type === 'pubsub')
    return { seq, index, ns, op, type, channel: event.bytes('channel'), value: event.bytes('value') };
  const key = event.bytes('key');
  const value = event.optional('value', event.bytes);
  switch (op) {
    case 'put':
      return parsePut(event, type, { seq, index, ns, key });
    case 'delete':
      return parseDelete(event, type, { seq, index, ns, key });
    case 'push':
    case 'pop': {
      const side = event.text('side');
      if (type !== 'list' || (side !== 'head' && side !== 'tail')) throw unknownKind(op, type);
      return op === 'push'
        ? { seq, index, ns, key, op, type, side, value: event.bytes('value') }
        : { seq, index, ns, key, op, type, side, count: event.number('count') };
    }
    case 'expire':
      return { seq, index, ns, key, op, type: valueType(op, type), ttlAt: event.number('ttlAt'), value };
    case 'persist':
      return { seq, index, ns, key, op, type: valueType(op, type), value };
    case 'streamMeta':
      if (type !== 'stream') throw unknownKind(op, type);
      return { seq, index, ns, key, op, type, command: event.list('command').map(commandWord) };
    case 'propagate':
      if (type !== 'script') throw unknownKind(op, type);
      return { seq, index, ns, key, op, type, value, keyEnd: event.optional('keyEnd', event.bytes) };
    default:
      throw unknownKind(op, type);
  }
};

interface Keyed {
  readonly seq: number;
  readonly index: number;
  readonly ns: string;
  readonly key: Buffer;
}

const parsePut = (event: EventFields, type: string, { seq, index, ns, key }: Keyed): Change => {
  const op = 'put';
  switch (type) {
    case 'string':
    case 'json':
      return {
        seq,
        index,
        ns,
        key,
        op,
        type,
        value: event.bytes('value'),
        ttlAt: event.optional('ttlAt', event.number),
      };
    case 'hash':
      return { seq, index, ns, key, op, type, field: event.bytes('field'), value: event.bytes('value') };
    case 'set':
      return { seq, index, ns, key, op, type, member: event.bytes('member') };
    case 'zset':
      return { seq, index, ns, key, op, type, member: event.bytes('member'), score: event.score('score') };
    case 'sortedint':
      return { seq, index, ns, key, op, type, id: event.bigint('id') };
    case 'list':
      return {
        seq,
        index,
        ns,
        key,
        op,
        type,
        listIndex: event.number('listIndex'),
        value: event.bytes('value'),
      };
    case 'stream':
      return {
        seq,
        index,
        ns,
        key,
        op,
        type,
        id: event.text('id'),
        fields: event.list('fields').map(bytesOf),
      };
    case 'bitmap': {
      const size = event.optional('size', event.number);
      return {
        seq,
        index,
        ns,
        key,
        op,
        type,
        offset: event.number('offset'),
        value: event.bytes('value'),
        size,
      };
    }
    case 'hyperloglog':
      return { seq, index, ns, key, op, type, segment: event.number('segment'), value: event.bytes('value') };
    default:
      throw unknownKind(op, type);
  }
};

const parseDelete = (event: EventFields, type: string, { seq, index, ns, key }: Keyed): Change => {
  const op = 'delete';
  switch (type) {
    case 'key':
      return { seq, index, ns, key, op, type };
    case 'hash':
      return { seq, index, ns, key, op, type, field: event.bytes('field') };
    case 'set':
    case 'zset':
      return { seq, index, ns, key, op, type, member: event.bytes('member') };
    case 'sortedint':
      return { seq, index, ns, key, op, type, id: event.bigint('id') };
    case 'stream':
      return { seq, index, ns, key, op, type, id: event.text('id') };
    default:
      throw unknownKind(op, type);
  }
};

/** Reads the fields of an object, each as what it must be. */
class EventFields {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #what: string;

  constructor(fields: Readonly<Record<string, unknown>>, what: string) {
    this.#fields = fields;
    this.#what = what;
  }

  readonly number = (name: string): number => {
    const value = this.#fields[name];
    return typeof value === 'number' && Number.isSafeInteger(value)
      ? value
      : this.#refuse(name, 'a whole number');
  };

  readonly bytes = (name: string): Buffer => bytesOf(this.#fields[name], name);

  text(name: string): string {
    const value = this.#fields[name];
    return typeof value === 'string' ? value : this.#refuse(name, 'a string');
  }

  bigint(name: string): bigint {
    const text = this.text(name);
    return /^\d{1,20}$/.test(text) ? BigInt(text) : this.#refuse(name, 'a number as text');
  }

  score(name: string): number {
    const value = this.#fields[name];
    if (typeof value === 'number') return value;
    if (value === 'inf') return Number.POSITIVE_INFINITY;
    return value === '-inf' ? Number.NEGATIVE_INFINITY : this.#refuse(name, 'a number, "inf" or "-inf"');
  }

  list(name: string): readonly unknown[] {
    const value = this.#fields[name];
    return Array.isArray(value) ? value : this.#refuse(name, 'a list');
  }

  object(name: string): EventFields {
    const value = this.#fields[name];
    return isObject(value) ? new EventFields(value, `"${name}"`) : this.#refuse(name, 'an object');
  }

  optional<Value>(name: string, read: (name: string) => Value): Value | undefined {
    return this.#fields[name] === undefined ? undefined : read(name);
  }

  #refuse(name: string, wanted: string): never {
    throw invalid(`"${name}" of ${this.#what} is not ${wanted}`);
  }
}

const parseObject = (line: string): Readonly<Record<string, unknown>> => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (cause) {
    throw invalid('it is no JSON', cause);
  }
  if (!isObject(parsed)) throw invalid('it is no JSON object');
  return parsed;
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A byte string: text, or base64 in an object. */
const bytesOf = (value: unknown, name: unknown): Buffer => {
  if (typeof value === 'string') return Buffer.from(value);
  if (isObject(value) && typeof value['base64'] === 'string') return Buffer.from(value['base64'], 'base64');
  throw invalid(`"${name}" is neither a string nor {"base64": …}`);
};

/** The command's name is text, its other words are byte strings. */
const commandWord = (value: unknown, at: number): string | Uint8Array =>
  at === 0 && typeof value === 'string' ? value : bytesOf(value, `command ${at}`);

const valueType = (op: string, type: string): ValueType => {
  for (let number = 1; ; number++) {
    const known = typeOfNumber(number);
    if (known === undefined) throw unknownKind(op, type);
    if (known === type) return known;
  }
};

const unknownKind = (op: string, type: string): TailraceError =>
  invalid(`op "${op}" of type "${type}" is not known`);

const invalid = (reason: string, cause?: unknown): TailraceError =>
  new TailraceError('EVENT_INVALID', `not a change event of version 1: ${reason}`, {
    context: { reason },
    remedy:
      'Give lines as the file sink writes them; their schema is change-event.schema.json of this package.',
    ...(cause === undefined ? {} : { cause }),
  });
