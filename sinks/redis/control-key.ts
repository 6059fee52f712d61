import {
  appendRestoreProbe,
  type ByteWriter,
  type Position,
  type Reply,
  ReplyError,
  TailraceError,
  writeCommand,
} from '../../src/kit/index.js';

/** What the control key holds. */
export interface ControlState {
  readonly epoch: number;
  readonly position: Position | null;
  /** Commands of the last batch that failed while EXEC ran; 0 in all health. */
  readonly failed: number;
  /** Which, in words, as far as somebody saw it. */
  readonly failure: string;
  /** Who claimed it last; empty when that is not known. */
  readonly owner: string;
}

/**
 * The key in the target that says who may write and what is written. A hash:
 *
 *   epoch, owner           raised by each claim; a token of the claimant
 *   sequence, count, crc   the position; absent until the first batch
 *   failed, failure        commands of that batch that failed at run time, and the first of them in words
 *   errors                 only while a batch runs: the server's count of error replies at its start
 */
export class ControlKey {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** 6 replies, behind an arm: does nothing when the key was touched since. The last two are of the next arm. */
  writeClaim(out: ByteWriter, owner: string): void {
    writeCommand(out, ['MULTI']);
    writeCommand(out, ['HINCRBY', this.name, 'epoch', 1]);
    writeCommand(out, ['HSET', this.name, 'owner', owner]);
    writeCommand(out, ['EXEC']);
    this.writeArm(out);
  }

  /** 3 replies, within a MULTI: shows what would be refused of a claim, and changes nothing. */
  writeClaimTrial(out: ByteWriter): void {
    writeCommand(out, ['HINCRBY', this.name, 'epoch', 1]);
    writeCommand(out, ['HSET', this.name, 'owner', '']);
    writeCommand(out, ['DISCARD']);
  }

  /** 2 replies: WATCH and the fields. From here on the next EXEC does nothing if anybody touches the key. */
  writeArm(out: ByteWriter): void {
    writeCommand(out, ['WATCH', this.name]);
    writeCommand(out, ['HMGET', this.name, ...controlFields]);
  }

  /** 1 reply. All fields, since a FLUSHDB in the same transaction takes the key along. */
  writePosition(out: ByteWriter, epoch: number, position: Position): void {
    const { sequence, count, crc } = position;
    const words = ['epoch', epoch, 'sequence', sequence, 'count', count, 'crc', crc, 'failed', 0];
    writeCommand(out, ['HSET', this.name, ...words]);
  }

  /** 5 replies, behind an arm; EXEC's, the third last, is null when the key was touched since. */
  writeOnlyPosition(out: ByteWriter, epoch: number, position: Position | null): void {
    writeCommand(out, ['MULTI']);
    if (position === null) writeCommand(out, ['HDEL', this.name, 'sequence', 'count', 'crc']);
    else this.writePosition(out, epoch, position);
    writeCommand(out, ['EXEC']);
    this.writeArm(out);
  }

  /** 1 reply: makes the commands between here and `writeErrorCount` accountable. */
  writeErrorMark(out: ByteWriter): void {
    writeCommand(out, ['EVAL', markErrors, 1, this.name]);
  }

  /** 1 reply: how many commands since `writeErrorMark` failed; kept in the key with the position. */
  writeErrorCount(out: ByteWriter): void {
    writeCommand(out, ['EVAL', countErrors, 1, this.name]);
  }

  /** 1 reply: null on a server that does not count its error replies. */
  writeErrorProbe(out: ByteWriter): void {
    writeCommand(out, ['EVAL', `return ${errorReplies}`, 0]);
  }

  /** 1 reply: OK on a server that takes hashes as Redis 7 dumps them. */
  writeDumpProbe(out: ByteWriter): void {
    appendRestoreProbe(out, `${this.name}:probe`);
  }

  /** 3 replies. Does nothing when the key was touched since it was armed. */
  writeFailure(out: ByteWriter, failed: number, failure: string): void {
    writeCommand(out, ['MULTI']);
    writeCommand(out, ['HSET', this.name, 'failed', failed, 'failure', failure]);
    writeCommand(out, ['EXEC']);
  }

  /** @throws TailraceError `OFFSETS_CORRUPT` for fields that this sink cannot have written */
  read(reply: Reply | undefined): ControlState {
    return readControlState(this.name, reply);
  }
}

/**
 * The fields of a control key, in the order of `controlFields`.
 * @throws TailraceError `OFFSETS_CORRUPT` for fields that this sink cannot have written; ReplyError
 */
export const readControlState = (name: string, reply: Reply | undefined): ControlState => {
  if (reply instanceof ReplyError) throw reply;
  const words = Array.isArray(reply) ? reply : [];
  const text = (at: number): string | undefined =>
    words[at] instanceof Buffer ? words[at].toString() : undefined;
  const number = (at: number): number | undefined => {
    const digits = text(at);
    if (digits === undefined) return undefined;
    const value = Number(digits);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw corrupt(name, controlFields[at] ?? '', digits);
  };
  const [epoch, sequence, count, crc] = [number(0), number(1), number(2), number(3)];
  const isComplete = sequence !== undefined && count !== undefined && crc !== undefined;
  if (!isComplete && (sequence ?? count ?? crc) !== undefined)
    throw corrupt(name, 'sequence, count and crc', 'some of the three alone');
  return {
    epoch: epoch ?? 0,
    position: isComplete ? { sequence, count, crc } : null,
    failed: number(4) ?? 0,
    failure: text(5) ?? '',
    owner: text(6) ?? '',
  };
};

/** In the order in which `readControlState` takes them. */
export const controlFields = ['epoch', 'sequence', 'count', 'crc', 'failed', 'failure', 'owner'] as const;

/** How many error replies the server has given since its start, those inside of EXEC included. */
const errorReplies = `string.match(redis.call('INFO', 'stats'), 'total_error_replies:(%d+)')`;

const markErrors = `return redis.call('HSET', KEYS[1], 'errors', ${errorReplies})`;

// No mark is left behind a FLUSHDB, which also leaves no key that a command could have failed on.
const countErrors = `
local before = redis.call('HGET', KEYS[1], 'errors')
local failed = before and tonumber(${errorReplies}) - tonumber(before) or 0
redis.call('HSET', KEYS[1], 'failed', failed)
redis.call('HDEL', KEYS[1], 'errors', 'failure')
return failed`;

const corrupt = (key: string, field: string, found: string): TailraceError =>
  new TailraceError('OFFSETS_CORRUPT', `the field ${field} of ${key} holds ${JSON.stringify(found)}`, {
    context: { key, field },
    remedy: 'Something else writes to this key: give the pipeline another name or positionKey, or delete it.',
  });
