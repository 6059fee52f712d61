// A sink of one's own: the latest value of every string key in one JSON file, exactly once.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { isSamePosition, ProcessLock, TailraceError } from 'tailrace/kit';

/**
 * @import { Position, Sink, SinkDefinition } from 'tailrace/kit'
 * @typedef {{ epoch: number, position: Position | null, values: Record<string, string> }} State what the file holds
 */

/** @param {Uint8Array} bytes */
const hex = (bytes) => Buffer.from(bytes).toString('hex');

/** @implements {Sink} */
export class JsonStateSink {
  guarantee = /** @type {const} */ ('exactly-once'); // data and position are one file, replaced at once
  holdsPosition = true;
  #path;
  /** @type {ProcessLock | undefined} */
  #lock;
  /** @type {State} */
  #state = { epoch: 0, position: null, values: {} };

  /** @param {{ path: string }} options */
  constructor({ path }) {
    this.#path = path;
  }

  /** Keeps out other processes, and reads what the file holds. */
  async claim() {
    this.#lock ??= await ProcessLock.acquire(
      `${this.#path}.lock`,
      () => new TailraceError('SINK_FENCED', `${this.#path} is being written by another process`),
    );
    const text = await readFile(this.#path, 'utf8').catch((error) => {
      if (error.code === 'ENOENT') return '{"epoch":0,"position":null,"values":{}}';
      throw new TailraceError('SINK_FAILED', `cannot read ${this.#path}: ${error.message}`, { cause: error });
    });
    this.#state = JSON.parse(text);
    this.#state.epoch++;
    return { epoch: this.#state.epoch, position: this.#state.position };
  }

  /**
   * Writes a batch and its position, or nothing; each outcome is a value.
   * @type {Sink['write']}
   */
  async write(batch, claim) {
    const { epoch, position, values } = this.#state;
    if (claim.epoch !== epoch || !isSamePosition(position, batch.previous))
      return { kind: 'fenced', error: new Error('the file does not hold what this batch follows') };
    const rejections = [];
    const next = { epoch, position: batch.position, values: { ...values } };
    for (const [transaction, { changes }] of batch.transactions.entries())
      for (const [index, change] of changes.entries())
        if (change.op === 'put' && change.type === 'string') next.values[hex(change.key)] = hex(change.value);
        else if (change.op === 'delete' && change.type === 'key') delete next.values[hex(change.key)];
        else if (change.op === 'clear') next.values = {};
        else if (change.type !== 'string')
          rejections.push({ transaction, change: index, reason: `no place for ${change.type}` });
    if (rejections.length > 0) return { kind: 'poison', rejections };
    try {
      await writeFile(`${this.#path}.tmp`, JSON.stringify(next), { flush: true });
      await rename(`${this.#path}.tmp`, this.#path);
    } catch (error) {
      return { kind: 'retryable', error: /** @type {Error} */ (error) }; // the file still holds the state before
    }
    this.#state = next;
    return { kind: 'durable' };
  }

  async [Symbol.asyncDispose]() {
    this.#lock?.release();
    this.#lock = undefined;
  }
}

/**
 * What the pipeline file names: `- { sink: ./json-state-sink.mjs, path: ./state.json }`.
 * @type {SinkDefinition<{ path: string }>}
 */
export const sink = {
  name: 'json-state',
  summary: 'the latest value of every string in one JSON file',
  schema: { path: { doc: 'the file', format: 'required-string', default: '' } },
  create: (options) => new JsonStateSink(options),
};
