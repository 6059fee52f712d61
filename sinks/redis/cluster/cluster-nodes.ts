import { isIP } from 'node:net';
import {
  ByteWriter,
  isTailraceError,
  type Reply,
  ReplyError,
  type RespAddress,
  RespConnection,
  slotCount,
  TailraceError,
  writeCommand,
} from '../../../src/kit/index.js';
import { scripts } from './scripts.js';

/**
 * The masters of a cluster, which slots each has, and one connection to each. Every connection knows the scripts. A
 * connection that was lost is opened anew when it is next asked for: what that means is the asker's to know.
 */
export class ClusterNodes {
  readonly #seeds: readonly RespAddress[];
  readonly #answerTimeoutMs: number;
  readonly #connections = new Map<string, RespConnection>();
  /** The node whose word on the slots was taken last, as `host:port`. */
  #asked = '';
  #masters: readonly string[] = [];
  /** The master of each slot, as `host:port`; '' = none. */
  #masterOf: string[] = [];

  constructor(seeds: readonly RespAddress[], answerTimeoutMs: number) {
    this.#seeds = seeds;
    this.#answerTimeoutMs = answerTimeoutMs;
  }

  /** Masters that have slots, as `host:port`. */
  get masters(): readonly string[] {
    return this.#masters;
  }

  get place(): string {
    return this.#seeds.map(({ host, port }) => `${host}:${port}`).join(', ');
  }

  masterOf(slot: number): string {
    return this.#masterOf[slot];
  }

  /** Any slot of the master. */
  someSlotOf(master: string): number {
    return this.#masterOf.indexOf(master);
  }

  /**
   * Asks the first node that answers who has which slot.
   * @throws TailraceError `SINK_UNREACHABLE` | `SINK_REFUSED`; whatever kept the last node from being asked
   */
  async refresh(signal: AbortSignal): Promise<void> {
    let failure: unknown;
    for (const address of this.#candidates()) {
      try {
        const connection = await this.#connect(address, signal);
        const reply = await connection.call('CLUSTER', 'SLOTS');
        if (reply instanceof ReplyError) throw notACluster(address, reply) ?? reply;
        this.#read(reply, address.host);
        this.#asked = `${address.host}:${address.port}`;
        return;
      } catch (error) {
        if (isTailraceError(error) && error.code !== 'SOURCE_UNREACHABLE') throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** The connection to a master. @throws what RespConnection.open throws */
  async connection(master: string, signal: AbortSignal): Promise<RespConnection> {
    return this.#connect(hostAndPort(master), signal);
  }

  /** Connects to every master, so that later only a lost connection makes anybody wait. */
  async connectAll(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#masters.map((master) => this.connection(master, signal)));
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }

  /**
   * Those that are connected, then the others that are known, then the configured ones. Last, unless it is connected, the one
   * that was asked last: whoever asks again could do nothing with its answer, as that of a node which has left the
   * cluster, or is cut off from the others.
   */
  #candidates(): { host: string; port: number }[] {
    const others = [...this.#masters, ...this.#seeds.map(({ host, port }) => `${host}:${port}`)];
    const names = [...this.#connections.keys(), ...others.filter((name) => name !== this.#asked), ...others];
    return [...new Set(names)].map(hostAndPort);
  }

  async #connect(
    { host, port }: { host: string; port: number },
    signal: AbortSignal,
  ): Promise<RespConnection> {
    const name = `${host}:${port}`;
    const open = this.#connections.get(name);
    if (open !== undefined && open.error === undefined) return open;
    this.#connections.delete(name);
    const connection = await RespConnection.open(addressOf(this.#seeds[0], host, port), {
      signal,
      answerTimeoutMs: this.#answerTimeoutMs,
    });
    try {
      await loadScripts(connection);
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#connections.set(name, connection);
    return connection;
  }

  /** `[[first, last, [host, port, id …], replicas …] …]`; an empty host is the one that was asked. */
  #read(reply: Reply, askedHost: string): void {
    const masterOf: string[] = new Array(slotCount).fill('');
    for (const range of Array.isArray(reply) ? reply : []) {
      if (!Array.isArray(range) || !Array.isArray(range[2])) continue;
      const [first, last, [host, port]] = range;
      const name = `${host instanceof Buffer && host.length > 0 ? host : askedHost}:${Number(port)}`;
      masterOf.fill(name, Number(first), Number(last) + 1);
    }
    this.#masterOf = masterOf;
    this.#masters = [...new Set(masterOf)].filter((name) => name !== '');
    for (const [name, connection] of this.#connections)
      if (connection.error !== undefined) this.#connections.delete(name);
  }
}

/**
 * The address of a node that the cluster names. User, password and the files of TLS are the same for every node; a cluster has
 * database 0 only. A node with a name has a certificate for that, one without may have one for the name of the first.
 */
export const addressOf = (first: RespAddress, host: string, port: number): RespAddress => {
  const { database: _, tls, ...login } = first;
  if (tls === undefined) return { ...login, host, port };
  const name = isIP(host) === 0 ? { servername: host } : {};
  return { ...login, host, port, tls: () => ({ ...(typeof tls === 'function' ? tls() : tls), ...name }) };
};

const hostAndPort = (name: string): { readonly host: string; readonly port: number } => {
  const colon = name.lastIndexOf(':');
  return { host: name.slice(0, colon), port: Number(name.slice(colon + 1)) };
};

const loadScripts = async (connection: RespConnection): Promise<void> => {
  const out = new ByteWriter(4096);
  for (const { text } of scripts) writeCommand(out, ['SCRIPT', 'LOAD', text]);
  const replies = await connection.send(out.take(), scripts.length);
  const refused = replies.find((reply) => reply instanceof ReplyError);
  if (refused !== undefined) throw refused;
};

const notACluster = ({ host, port }: { host: string; port: number }, reply: ReplyError): Error | undefined =>
  reply.message.includes('cluster support disabled')
    ? new TailraceError('SINK_REFUSED', `${host}:${port} is not a node of a Redis Cluster`, {
        context: { sink: `${host}:${port}` },
        remedy: 'Leave out `cluster: true`, or give the address of a cluster.',
      })
    : undefined;
