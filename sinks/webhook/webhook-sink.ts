import {
  ByteWriter,
  type Change,
  type Claim,
  EventEncoder,
  type Finding,
  isSamePosition,
  type PluginContext,
  type Position,
  type Rejection,
  type Sink,
  type SinkBatch,
  TailraceError,
  type Transaction,
  type WriteOutcome,
  withDeadline,
} from '../../src/kit/index.js';
import { signatureOf } from './signature.js';
import { type Verdict, verdictOf } from './verdict.js';

/** Settings of the sink `webhook`. */
export interface WebhookSinkOptions {
  readonly url: string;
  /** Key of the signature; empty: requests are not signed. */
  readonly secret: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `json`: `{"pipeline", "first", "last", "events": […]}`; `ndjson`: one event a line. */
  readonly body: 'json' | 'ndjson';
  /** Limits of one request; a larger transaction still is one request. */
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** How long an answer is waited for, in ms. */
  readonly timeout: number;
  /** Name of the source in the events. */
  readonly source: string;
}

/**
 * Change events as HTTP POST requests, at least once, in order, one request at a time.
 *
 * A batch is cut into requests of whole transactions. Each has a key, `Idempotency-Key: pipeline/first-last`; for keys of a
 * snapshot, of which many requests are of one sequence number, the index is told too. After a crash the cut may be another
 * one, so a receiver that must not act twice remembers the last transaction that it has handled. What was delivered of a
 * batch is not sent again when the rest is tried again.
 */
export class WebhookSink implements Sink {
  readonly guarantee = 'at-least-once';
  readonly holdsPosition = false;
  readonly #options: WebhookSinkOptions;
  readonly #pipeline: string;
  readonly #encoder: EventEncoder;
  readonly #closing = new AbortController();
  #epoch = 0;
  /** How many transactions of the batch that ends at `position` the receiver has, of a write that is to be tried again. */
  #begun: { readonly position: Position; transactions: number } | undefined;

  constructor(options: WebhookSinkOptions, context: PluginContext) {
    this.#options = options;
    this.#pipeline = context.pipeline;
    this.#encoder = new EventEncoder({ connector: 'tailrace', name: options.source || context.pipeline });
  }

  async claim(): Promise<Claim> {
    this.#begun = undefined;
    return { epoch: ++this.#epoch, position: null };
  }

  async write(batch: SinkBatch, claim: Claim, signal: AbortSignal): Promise<WriteOutcome> {
    if (claim.epoch !== this.#epoch)
      return { kind: 'fenced', error: new Error('the sink was claimed again in this process') };
    const { position } = batch;
    const begun =
      this.#begun !== undefined && isSamePosition(this.#begun.position, position)
        ? this.#begun
        : { position, transactions: 0 };
    this.#begun = begun;
    const pending = batch.transactions.flatMap((transaction, at): Pending[] =>
      transaction.changes.length > 0 && at >= begun.transactions
        ? [{ transaction, at, lines: this.#encode(transaction) }]
        : [],
    );
    const requests = this.#cut(pending);
    while (requests.length > 0) {
      const part = requests.shift() ?? [];
      const verdict = await this.#post(part, signal);
      switch (verdict.kind) {
        case 'delivered':
          begun.transactions = part[part.length - 1].at + 1;
          break;
        case 'later': {
          const error = this.#unreachable(verdict.reason);
          const { afterMs } = verdict;
          return { kind: 'retryable', error, ...(afterMs === undefined ? {} : { afterMs }) };
        }
        case 'refused':
          return { kind: 'fatal', error: this.#refused(verdict.reason, verdict.isForbidden) };
        case 'too large':
        case 'unwanted':
          // By halves, until the one that the receiver does not take stands alone.
          if (part.length === 1) return { kind: 'poison', rejections: rejectAll(part, verdict.reason) };
          requests.unshift(part.slice(0, part.length >> 1), part.slice(part.length >> 1));
      }
    }
    this.#begun = undefined;
    return { kind: 'durable' };
  }

  /** Asks by OPTIONS, so that nothing is delivered: whatever answers can be reached. */
  async check(signal: AbortSignal): Promise<readonly Finding[]> {
    const { url, headers, timeout } = this.#options;
    try {
      const status = await withDeadline(timeout, [signal, this.#closing.signal], async (limit) => {
        const response = await fetch(url, { method: 'OPTIONS', headers, redirect: 'manual', signal: limit });
        await readExcerpt(response);
        return response.status;
      });
      const detail = `${this.#place} answers (${status} to OPTIONS)`;
      if (status !== 404) return [{ name: 'connection', status: 'ok', detail }];
      return [{ name: 'connection', status: 'warn', detail, remedy: 'Check the path of the address.' }];
    } catch (error) {
      const { message, remedy } = this.#unreachable(describe(error));
      return [{ name: 'connection', status: 'fail', detail: message, remedy }];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the sink was closed'));
  }

  /** Requests of whole transactions, within the limits. */
  #cut(pending: readonly Pending[]): Pending[][] {
    const { maxEvents, maxBytes } = this.#options;
    const requests: Pending[][] = [];
    let part: Pending[] = [];
    let events = 0;
    let bytes = 0;
    for (const one of pending) {
      const { changes } = one.transaction;
      const size = one.lines.length;
      if (part.length > 0 && (events + changes.length > maxEvents || bytes + size > maxBytes)) {
        requests.push(part);
        part = [];
        events = 0;
        bytes = 0;
      }
      part.push(one);
      events += changes.length;
      bytes += size;
    }
    if (part.length > 0) requests.push(part);
    return requests;
  }

  async #post(part: readonly Pending[], signal: AbortSignal): Promise<Verdict> {
    const { url, secret, headers, timeout, body: form } = this.#options;
    const body = this.#body(part);
    const signed =
      secret === '' ? {} : { 'tailrace-signature': signatureOf(secret, Math.floor(Date.now() / 1000), body) };
    try {
      return await withDeadline(timeout, [signal, this.#closing.signal], async (limit) => {
        const response = await fetch(url, {
          method: 'POST',
          headers: {
            'content-type': form === 'json' ? 'application/json' : 'application/x-ndjson',
            'user-agent': 'tailrace',
            ...headers,
            'idempotency-key': `${this.#pipeline}/${beginOf(part)}-${endOf(part)}`,
            ...signed,
          },
          body,
          redirect: 'manual',
          signal: limit,
        });
        return verdictOf(response.status, response.headers, await readExcerpt(response));
      });
    } catch (error) {
      const reason = describe(error);
      if (reason === forbiddenPort) return { kind: 'refused', reason, isForbidden: false };
      return { kind: 'later', reason, afterMs: undefined };
    }
  }

  #body(part: readonly Pending[]): Buffer {
    const lines = Buffer.concat(part.map((one) => one.lines));
    if (this.#options.body === 'ndjson') return lines;
    // Events have no line end inside of them.
    for (let at = 0; at < lines.length - 1; at++) if (lines[at] === lineEnd) lines[at] = comma;
    const pipeline = JSON.stringify(this.#pipeline);
    const head = `{"pipeline":${pipeline},"first":${firstOf(part)},"last":${lastOf(part)},"events":[`;
    return Buffer.concat([Buffer.from(head), lines.subarray(0, -1), Buffer.from(']}')]);
  }

  /** One event a line. The caller owns the bytes. */
  #encode(transaction: Transaction): Buffer {
    const out = new ByteWriter(512);
    this.#encoder.append(out, transaction);
    return out.take();
  }

  #unreachable(reason: string): TailraceError {
    return new TailraceError('SINK_UNREACHABLE', `cannot deliver to ${this.#place}: ${reason}`, {
      context: { sink: this.#place },
      remedy: 'Check the address, and that the receiver is running and answers in time.',
    });
  }

  #refused(reason: string, isForbidden: boolean): TailraceError {
    return new TailraceError('SINK_REFUSED', `${this.#place} refuses the events: ${reason}`, {
      context: { sink: this.#place },
      remedy: isForbidden
        ? 'Check the secret, and the authorization in headers.'
        : 'Check the address: it must take POST requests with JSON, and not redirect.',
    });
  }

  /** Without the query, which may hold a secret. */
  get #place(): string {
    const { origin, pathname } = new URL(this.#options.url);
    return `${origin}${pathname}`;
  }
}

/** A transaction that is to be delivered, and where it stands in the batch. */
interface Pending {
  readonly transaction: Transaction;
  readonly at: number;
  /** Its events, one a line. */
  readonly lines: Buffer;
}

const firstOf = (part: readonly Pending[]): number => part[0].transaction.first;
const lastOf = (part: readonly Pending[]): number => part[part.length - 1].transaction.last;

const beginOf = ([{ transaction }]: readonly Pending[]): string =>
  placeOf(transaction, transaction.first, transaction.changes[0]);

const endOf = (part: readonly Pending[]): string => {
  const { transaction } = part[part.length - 1];
  return placeOf(transaction, transaction.last, transaction.changes[transaction.changes.length - 1]);
};

/** Of all that ever goes to the receiver, the only one of its kind. */
const placeOf = ({ isSnapshot }: Transaction, sequence: number, { index }: Change): string =>
  isSnapshot === true ? `${sequence}.${index}` : `${sequence}`;

const rejectAll = (part: readonly Pending[], reason: string): Rejection[] =>
  part.flatMap(({ transaction, at }) =>
    transaction.changes.map((_, change) => ({ transaction: at, change, reason })),
  );

/** Reads the answer to its end, so that the connection can be used again, but keeps and waits for only so much. */
const readExcerpt = async (response: Response): Promise<string> => {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, maxExcerptBytes).trim();
};

/** fetch says only that it failed; why stands in the cause. */
const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const reason =
    error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
  return reason === 'bad port' ? forbiddenPort : reason;
};

const forbiddenPort = 'its port belongs to another protocol, so that nothing may be posted there';

const maxAnswerBytes = 64 * 1024;
const maxExcerptBytes = 200;
const lineEnd = 0x0a;
const comma = 0x2c;
