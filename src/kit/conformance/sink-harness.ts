import type { Sink } from '../sink.js';
import type { SampleEntry } from './sample-history.js';

/** What the suite needs to know of a sink. */
export interface SinkHarness {
  /** A new sink on the present target, for the pipeline `conformance`. */
  open(): Promise<Sink> | Sink;
  /** The strings that the target holds, key in hexadecimal → value in hexadecimal; without the sink's own keys. */
  contents(): Promise<Map<string, string>>;
  /**
   * How an older claimant is kept out: `epoch`, its writes are refused after the next claim; `lock`, the next claim is
   * refused while it lives; `none`, it is not: the sink holds no position, and an offsets store does.
   */
  readonly fencing: 'epoch' | 'lock' | 'none';
  /** Empties the target; runs after each test, when every sink is disposed. */
  clean(): Promise<void>;
  /** A string that the target refuses for good, where there is one: a value beyond its limit, a key it cannot hold. */
  readonly refusable?: SampleEntry;
  /** Breaks every connection to the target, which itself stays up; absent when there is none to break. */
  readonly disconnect?: () => Promise<unknown>;
  /** Makes the target stand still, with every connection open, until the function that it gives is called. */
  readonly stall?: () => Promise<() => Promise<unknown>>;
}
