/**
 * Every stable error code, by the part that raises it. Codes are part of the public interface: a code is
 * never renamed, and two causes that call for different remedies have different codes.
 */
export type ErrorCode =
  // bytes and formats
  | 'BATCH_CORRUPT' // bytes that are no valid WriteBatch; context: offset
  | 'BATCH_RECORD_UNKNOWN' // a record tag that the format does not define; context: offset, tag
  | 'RESP_PROTOCOL' // bytes that are no valid RESP
  // write-ahead log
  | 'WAL_CORRUPT' // damage inside the log; context: file, offset, reason
  | 'WAL_GAP' // a batch does not continue its predecessor; context: expected, found
  | 'WAL_PURGED' // the wanted sequence is no longer in the log; context: wanted, first
  | 'WAL_SEQUENCE_AHEAD' // the wanted sequence lies in the future; context: wanted, latest
  // engine
  | 'STORE_LOCKED' // another process has the directory open; context: directory, holder
  | 'STORE_FAILED' // a write or sync failed; no writes until the store is reopened
  | 'STORE_CLOSED'
  | 'STORE_CORRUPT' // damage in a data file; context: file, offset, reason
  | 'STORE_FORMAT_UNKNOWN' // a store, or a file of one, in a format of another version; context: file, format
  | 'STORE_CHANGED' // its writer went on, so that a reader beside it no longer finds what it opened; context: file
  | 'STORE_READ_ONLY'
  | 'COLUMN_FAMILY_UNKNOWN'
  | 'LIMIT_EXCEEDED' // a size beyond a stated limit; context: limit, actual
  | 'SPACE_EXHAUSTED' // no run of free units is long enough
  | 'HEAP_PROFILER_FAILED' // sampling or dumping the heap is not possible
  // consumers of the log
  | 'SLOT_INVALID' // a name that no slot can have
  | 'SLOT_NOT_FOUND'
  // checkpoints
  | 'CHECKPOINT_NOT_FOUND'
  | 'CHECKPOINT_EXPIRED'
  | 'CHECKPOINT_IN_USE'
  | 'CHECKPOINT_NAME_TAKEN'
  // data model
  | 'COMMAND_REFUSED' // a command that Redis would answer with an error; the message is that answer; context: command
  | 'DECODE_UNSUPPORTED' // a change that has no counterpart; context: sequence, type
  | 'DECODE_AMBIGUOUS' // a change that cannot be told from the log alone; context: sequence, key
  | 'EVENT_INVALID' // a line that is no change event
  // sources and sinks
  | 'HISTORY_MISMATCH' // the position names another history
  | 'SOURCE_UNREACHABLE'
  | 'SOURCE_UNSUPPORTED' // the source lacks what is needed, such as POLLUPDATES
  | 'SOURCE_REFUSED' // authentication or permission
  | 'SINK_UNREACHABLE'
  | 'SINK_REFUSED' // authentication or permission
  | 'SINK_FENCED' // another process has claimed the sink
  | 'SINK_POISON' // records that the target will never take
  | 'SINK_FAILED'
  | 'TRANSFORM_FAILED' // a transform function of the user's failed; context: module, sequence
  // pipeline, configuration, command line
  | 'CONFIG_INVALID'
  | 'PIPELINE_OWNED' // another running process has this pipeline
  | 'DEAD_LETTERS_FAILED' // where dead letters are kept cannot be used, or holds something else
  | 'OFFSETS_CORRUPT'
  | 'OFFSETS_FAILED' // the store of the positions cannot be reached or refuses
  | 'ADMIN_UNREACHABLE' // no admin server answers at the address
  | 'ADDRESS_UNAVAILABLE' // an address to listen on is taken, or none of this machine; context: host, port
  | 'USAGE'
  | 'FILE_INACCESSIBLE'
  | 'INTERNAL'; // a broken invariant of ours

/** Where it happened, in the words of the field: file, offset, sequence, key, sink … Never secrets. */
export type ErrorContext = Readonly<Record<string, string | number | boolean>>;

/**
 * The one error class. `message` says what happened and where; `remedy` is one sentence on what to do.
 *
 * @example
 * throw new TailraceError('WAL_CORRUPT', `damaged record in ${file} at offset ${offset}: bad checksum`, {
 *   context: { file, offset },
 *   remedy: 'Restore the file from a backup, or restore a checkpoint.',
 * });
 */
export class TailraceError extends Error {
  readonly code: ErrorCode;
  readonly context: ErrorContext;
  readonly remedy: string;

  constructor(
    code: ErrorCode,
    message: string,
    details: { context?: ErrorContext; remedy?: string; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'TailraceError';
    this.code = code;
    this.context = details.context ?? {};
    this.remedy = details.remedy ?? '';
  }
}

/** By name, not by class: a plugin may have a copy of this package of its own. */
export const isTailraceError = (error: unknown, code?: ErrorCode): error is TailraceError =>
  error instanceof Error &&
  error.name === 'TailraceError' &&
  'code' in error &&
  (code === undefined || error.code === code);
