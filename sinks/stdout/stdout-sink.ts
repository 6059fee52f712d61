import type { Writable } from 'node:stream';
import {
  ByteWriter,
  type Claim,
  EventEncoder,
  type Finding,
  type PluginContext,
  type Sink,
  type SinkBatch,
  TailraceError,
  type WriteOutcome,
} from '../../src/kit/index.js';

/** Settings of the sink `stdout`. */
export interface StdoutSinkOptions {
  /** Name of the source in the events. */
  readonly source: string;
}

/**
 * Change events as lines of JSON on a stream, at least once: the position is kept by the pipeline's offsets store
 * after the stream has taken the lines. A reader that goes away ends the pipeline.
 */
export class StdoutSink implements Sink {
  readonly guarantee = 'at-least-once';
  readonly holdsPosition = false;
  readonly #stream: Writable;
  readonly #encoder: EventEncoder;
  readonly #out = new ByteWriter();

  constructor(options: StdoutSinkOptions, context: PluginContext, stream: Writable) {
    this.#stream = stream;
    this.#encoder = new EventEncoder({ connector: 'tailrace', name: options.source || context.pipeline });
  }

  async check(): Promise<readonly Finding[]> {
    return [{ name: 'stream', status: 'ok', detail: 'standard output is always there' }];
  }

  async claim(): Promise<Claim> {
    return { epoch: 1, position: null };
  }

  async write(batch: SinkBatch): Promise<WriteOutcome> {
    for (const transaction of batch.transactions) this.#encoder.append(this.#out, transaction);
    if (this.#out.length === 0) return { kind: 'durable' };
    const bytes = this.#out.take();
    return new Promise((resolve) => {
      this.#stream.write(bytes, (cause) => {
        if (cause) resolve({ kind: 'fatal', error: streamClosed(cause) });
        else resolve({ kind: 'durable' });
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The stream belongs to the process.
  }
}

const streamClosed = (cause: Error): TailraceError =>
  new TailraceError('SINK_FAILED', `standard output is gone: ${cause.message}`, {
    remedy: 'The reader of the pipe has ended; start again to go on.',
    cause,
  });
