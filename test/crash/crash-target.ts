import type { TcpProxy } from '../support/tcp-proxy.js';
import type { SourceTruth } from './source-truth.js';

/**
 * A sink with its target, as the crash harness sees it. To add one, write a file under `targets/` and name it in
 * `targets/index.ts`.
 */
export interface CrashTarget extends AsyncDisposable {
  /** Name of the target on the command line, and of its pipeline. */
  readonly name: string;
  /** Loopback port of the target's server, before which the harness puts a proxy; undefined when there is no network. */
  readonly port: number | undefined;
  /** Where that proxy must listen, for a server that tells its clients where to connect; default: anywhere. */
  readonly proxyPort?: number;
  /** Proxies that stand before a target of several servers, which owns them; `port` is then undefined. */
  readonly proxies?: readonly TcpProxy[];
  /**
   * How a second process is kept out: `epoch`, it takes over; `lock`, it is refused while the first lives;
   * `none`, it is not.
   */
  readonly fencing: 'epoch' | 'lock' | 'none';
  /** The sink's entry of the pipeline file; `port` is the proxy's. */
  sinkEntry(port: number): Readonly<Record<string, unknown>>;
  /** Ends the target's server the hard way and starts it again; absent when there is none. */
  killAndRestart?(): Promise<void>;
  /** Last sequence number of the position that the target holds, read from itself; 0 without one. */
  position(): Promise<number>;
  /** Throws unless the target holds exactly what the source holds: nothing twice, nothing missing. */
  verify(truth: SourceTruth): Promise<void>;
}
