import { TailraceError } from '../../src/errors/index.js';
import {
  type Claim,
  isSamePosition,
  type Position,
  type Sink,
  type SinkBatch,
  type WriteOutcome,
} from '../../src/kit/index.js';

/** Answers as it is told: outcomes such as `unknown` cannot be had from a real target on demand. */
export class ScriptedSink implements Sink {
  readonly guarantee = 'exactly-once';
  readonly holdsPosition: boolean = true;
  position: Position | null = null;
  claims = 0;
  writes = 0;
  keys: string[] = [];
  /** Taken one a write; when none is left, writes succeed. */
  script: ((batch: SinkBatch, apply: () => void) => WriteOutcome | Promise<WriteOutcome>)[] = [];
  failClaims = 0;

  async claim(): Promise<Claim> {
    this.claims++;
    if (this.failClaims-- > 0) throw new TailraceError('SINK_UNREACHABLE', 'down');
    return { epoch: this.claims, position: this.position };
  }

  async write(batch: SinkBatch): Promise<WriteOutcome> {
    this.writes++;
    const apply = (): void => {
      if (!isSamePosition(batch.previous, this.position)) throw new Error('written out of order');
      this.position = batch.position;
      for (const { changes } of batch.transactions)
        for (const change of changes) if ('key' in change) this.keys.push(Buffer.from(change.key).toString());
    };
    const step = this.script.shift();
    if (step !== undefined) return step(batch, apply);
    apply();
    return { kind: 'durable' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held.
  }
}
