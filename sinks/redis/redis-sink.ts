import {
  ByteWriter,
  type Claim,
  CommandEncoder,
  isSamePosition,
  isTailraceError,
  type PluginContext,
  type Position,
  parseRedisUrl,
  type Reply,
  ReplyError,
  type RespAddress,
  RespConnection,
  type Sink,
  type SinkBatch,
  TailraceError,
  type WriteOutcome,
  writeCommand,
} from '../../src/kit/index.js';

export interface RedisSinkOptions {
  /** redis://[user:password@]host:port[/database], or rediss:// */
  readonly url: string;
  /** Overrides the password of the URL. */
  readonly password: string;
  /** The key that holds the position; `{pipeline}` stands for the pipeline's name. */
  readonly positionKey: string;
}

/**
 * Redis commands on a Redis, exactly once: the commands of a batch and its position are one MULTI/EXEC.
 *
 * Protocol. The control key is a hash {epoch, sequence, count, crc}. A claim raises `epoch` and leaves the key
 * WATCHed on the connection. Each write is `MULTI, commands, HSET control, EXEC, WATCH control, HMGET control`: one
 * round trip that applies all or nothing, and arms the next. Whoever claims later changes the watched key, so an
 * older claimant's EXEC does nothing: a nil reply is `fenced`.
 *
 * A command that fails while EXEC runs does not undo the others, so Redis cannot refuse a batch for such an error
 * once the position is written with it. It means that the target holds a key of another type, which only someone else
 * can have written: the sink stops with a fatal error that names the command, and says so; nothing is passed over.
 * A connection lost before the reply of EXEC is `unknown`: the control key, read after a new claim, is the truth.
 */
export class RedisSink implements Sink {
  readonly guarantee = 'exactly-once';
  readonly holdsPosition = true;
  readonly #address: RespAddress;
  readonly #controlKey: string;
  readonly #encoder = new CommandEncoder();
  readonly #out = new ByteWriter(1024 * 1024);
  #connection: RespConnection | undefined;

  constructor(options: RedisSinkOptions, context: PluginContext) {
    const address = parseRedisUrl(options.url);
    this.#address = options.password === '' ? address : { ...address, password: options.password };
    this.#controlKey = options.positionKey.replace('{pipeline}', context.pipeline);
  }

  async claim(signal: AbortSignal): Promise<Claim> {
    this.#connection?.close();
    this.#connection = undefined;
    try {
      const connection = await RespConnection.open(this.#address, { signal });
      this.#connection = connection;
      return await claimControlKey(connection, this.#controlKey);
    } catch (error) {
      throw asSinkError(error, this.#place);
    }
  }

  async write(batch: SinkBatch, claim: Claim): Promise<WriteOutcome> {
    const connection = this.#connection;
    // Nothing was sent on a connection that was lost before this write; claiming again finds out where we stand.
    if (connection === undefined || connection.error !== undefined)
      return { kind: 'unknown', error: connection?.error ?? new Error('the sink is not connected') };
    const commands = this.#encode(batch, claim);
    let replies: Reply[];
    try {
      // MULTI, one QUEUED a command, HSET, EXEC, WATCH, HMGET.
      replies = await connection.send(this.#out.bytes, commands + 5);
    } catch (error) {
      return { kind: 'unknown', error: error instanceof Error ? error : new Error(String(error)) };
    }
    return this.#outcome(replies, commands, batch, claim);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Encodes the whole transaction into the output; returns how many data commands it has. */
  #encode(batch: SinkBatch, claim: Claim): number {
    const out = this.#out;
    out.clear();
    writeCommand(out, ['MULTI']);
    let commands = 0;
    for (const transaction of batch.transactions) commands += this.#encoder.append(out, transaction);
    const { sequence, count, crc } = batch.position;
    writeCommand(out, [
      'HSET',
      this.#controlKey,
      'epoch',
      claim.epoch,
      'sequence',
      sequence,
      'count',
      count,
      'crc',
      crc,
    ]);
    writeCommand(out, ['EXEC']);
    writeCommand(out, ['WATCH', this.#controlKey]);
    writeCommand(out, ['HMGET', this.#controlKey, ...controlFields]);
    return commands;
  }

  #outcome(replies: Reply[], commands: number, batch: SinkBatch, claim: Claim): WriteOutcome {
    const executed = replies[commands + 2];
    if (executed === null)
      return { kind: 'fenced', error: new Error(`${this.#controlKey} was changed by another process`) };
    if (executed instanceof ReplyError) {
      // EXECABORT: nothing was applied. The reply of the command that could not be queued says why.
      const cause = replies.slice(0, commands + 2).find((reply) => reply instanceof ReplyError) ?? executed;
      return this.#refused(cause as ReplyError);
    }
    if (!Array.isArray(executed)) return { kind: 'fatal', error: new Error('EXEC answered unexpectedly') };
    const failed = executed.findIndex((reply) => reply instanceof ReplyError);
    if (failed >= 0)
      return { kind: 'fatal', error: this.#failedCommand(executed[failed] as ReplyError, batch) };
    const held = readControl(replies[commands + 4]);
    if (held.epoch !== claim.epoch || !isSamePosition(held.position, batch.position))
      return { kind: 'unknown', error: new Error(`${this.#controlKey} does not hold what was written`) };
    return { kind: 'durable' };
  }

  /** A batch that Redis would not take at all; nothing was applied. */
  #refused(reply: ReplyError): WriteOutcome {
    // What stands WATCHed or queued is unclear after a refusal: a new claim makes it sure.
    this.#connection?.close();
    if (/^(LOADING|BUSY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|READONLY|OOM|MISCONF|NOREPLICAS)/.test(reply.message))
      return { kind: 'unknown', error: reply };
    return { kind: 'fatal', error: asSinkError(reply, this.#place) };
  }

  #failedCommand(reply: ReplyError, batch: SinkBatch): TailraceError {
    return new TailraceError(
      'SINK_FAILED',
      `${this.#place} could not carry out a change between sequence numbers ${batch.transactions[0]?.first ?? 0} and ${batch.position.sequence}: ${reply.message}`,
      {
        context: { sink: this.#place, sequence: batch.position.sequence },
        remedy:
          'A key in the target has another type, so someone else writes there: clear the target and reset the position.',
      },
    );
  }

  get #place(): string {
    return `${this.#address.host}:${this.#address.port}`;
  }
}

const controlFields = ['epoch', 'sequence', 'count', 'crc'] as const;

/** Raises the epoch, leaves the control key WATCHed, and reads the position. */
const claimControlKey = async (connection: RespConnection, key: string): Promise<Claim> => {
  const out = new ByteWriter(256);
  writeCommand(out, ['HINCRBY', key, 'epoch', 1]);
  writeCommand(out, ['WATCH', key]);
  writeCommand(out, ['HMGET', key, ...controlFields]);
  const replies = await connection.send(out.bytes, 3);
  const error = replies.find((reply) => reply instanceof ReplyError);
  if (error !== undefined) throw error;
  const claim = readControl(replies[2]);
  if (claim.epoch !== Number(replies[0]))
    throw new Error('the position was claimed by another process at the same time');
  return claim;
};

const readControl = (reply: Reply | undefined): Claim => {
  const [epoch, sequence, count, crc] = (Array.isArray(reply) ? reply : []).map((field) =>
    field === null ? Number.NaN : Number(String(field)),
  ) as [number, number, number, number];
  const position: Position | null = Number.isNaN(sequence) ? null : { sequence, count, crc };
  return { epoch, position };
};

/** What a claim or a refused write failed with, as the error that the pipeline acts on. */
const asSinkError = (error: unknown, place: string): TailraceError => {
  const reason = error instanceof Error ? error.message : String(error);
  const isRefusal =
    isTailraceError(error, 'SOURCE_REFUSED') || /^(NOAUTH|WRONGPASS|NOPERM|WRONGTYPE)/.test(reason);
  if (isRefusal)
    return new TailraceError('SINK_REFUSED', `${place} refuses: ${reason}`, {
      context: { sink: place },
      remedy: 'Check the user, its password and its rights, and that the position key is free.',
      cause: error,
    });
  return new TailraceError('SINK_UNREACHABLE', `cannot write to ${place}: ${reason}`, {
    context: { sink: place },
    remedy: 'Check the address, and that the server is running and takes writes.',
    cause: error,
  });
};
