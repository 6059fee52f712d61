import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import Broker from 'kafkajs/src/broker/index.js';
import { createLogger, type Logger as KafkaLogger } from 'kafkajs/src/loggers/index.js';
import ConnectionPool, { type SocketRequest } from 'kafkajs/src/network/connectionPool.js';
import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js';
import { type ProtocolCall, requests } from 'kafkajs/src/protocol/requests/index.js';
import { asError, type Logger, TailraceError } from '../../src/kit/index.js';
import { Refused } from './refusal.js';
import './request-queue.js';

export interface ClusterOptions {
  /** host:port of some brokers; the others are learnt from them. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls: ConnectionOptions | null;
  readonly sasl: SASLOptions | null;
  readonly connectTimeoutMs: number;
  /** Longest wait for any one answer. */
  readonly requestTimeoutMs: number;
}

/** A topic as the cluster describes it. */
export interface TopicDescription {
  /** Node id of the leader of each partition; −1 while there is none. */
  readonly leaders: readonly number[];
  /** Replicas of each partition. */
  readonly replication: number;
}

/**
 * The brokers of a Kafka cluster: connections, metadata, and requests with their answers.
 *
 * Of kafkajs it takes the lower half: connections with TLS and SASL, the negotiation of versions, the encoding of
 * requests. What kafkajs puts on top (its producer and the retries inside) is not used: it retries without an end,
 * resolves for messages that were not written, and cannot tell a fenced producer from a broken one. Here
 *
 * - every wait has an end: `requestTimeoutMs`, or the caller's signal;
 * - nothing is retried: an error says what happened, and the sink claims again over new connections;
 * - after `close`, or the first wait that was given up, every request fails, so that nothing late is ever mistaken
 *   for the answer to something new.
 */
export class KafkaCluster {
  readonly #options: ClusterOptions;
  readonly #logger: KafkaLogger;
  readonly #sockets = new Set<Socket>();
  /** Connected, or being connected. */
  readonly #brokers = new Map<number, Promise<Broker>>();
  readonly #seeds: Broker[] = [];
  #addresses = new Map<number, string>();
  #controllerId = -1;
  #closed: Error | undefined;

  constructor(options: ClusterOptions, log: Logger) {
    this.#options = options;
    this.#logger = createLogger({
      level: warnLevel,
      logCreator: () => (entry) => {
        if (!this.isClosed) relay(log, entry);
      },
    });
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Connects to the first broker of the list that answers. */
  async connect(): Promise<void> {
    const failures: Error[] = [];
    for (const address of this.#options.brokers) {
      const seed = this.#makeBroker(address, null);
      try {
        await this.#inTime(`connecting to ${address}`, seed.connect(), this.#options.connectTimeoutMs, false);
        requireNewEnough(seed, address);
        this.#seeds.push(seed);
        return;
      } catch (error) {
        failures.push(asError(error));
        // Credentials that one broker refuses are not tried on all of them: accounts get locked.
        if (this.isClosed || failures.at(-1)?.name === 'KafkaJSSASLAuthenticationError') break;
      }
    }
    throw failures.at(-1) ?? new Error('no broker is configured');
  }

  /** The topics as they are now; those that do not exist are left out. @throws Refused */
  async describeTopics(topics: readonly string[]): Promise<Map<string, TopicDescription>> {
    const { brokers, controllerId, topicMetadata } = (await this.#send(this.#anyBroker(), 'Metadata', {
      topics,
      allowAutoTopicCreation: false,
    })) as MetadataAnswer;
    this.#controllerId = controllerId;
    this.#addresses = new Map(brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]));
    const found = new Map<string, TopicDescription>();
    for (const { topic, topicErrorCode, partitionMetadata } of topicMetadata) {
      if (topicErrorCode === unknownTopic) continue;
      if (topicErrorCode !== 0 && topicErrorCode !== leaderNotAvailable)
        throw new Refused(topicErrorCode, `topic ${topic}`);
      const leaders: number[] = [];
      for (const { partitionId, leader } of partitionMetadata) leaders[partitionId] = leader;
      found.set(topic, { leaders, replication: partitionMetadata[0]?.replicas.length ?? 0 });
    }
    return found;
  }

  get controllerId(): number {
    return this.#controllerId;
  }

  /** Node id of the broker that coordinates the transactions of an id. @throws Refused */
  async findCoordinator(transactionalId: string): Promise<number> {
    const { errorCode, coordinator } = (await this.#send(this.#anyBroker(), 'GroupCoordinator', {
      groupId: transactionalId,
      coordinatorType: transactionCoordinator,
    })) as { errorCode: number; coordinator: { nodeId: number; host: string; port: number } };
    if (errorCode !== 0) throw new Refused(errorCode, `the coordinator of ${transactionalId}`);
    const { nodeId, host, port } = coordinator;
    if (!this.#addresses.has(nodeId)) this.#addresses.set(nodeId, `${host}:${port}`);
    return nodeId;
  }

  /** Sends a request that kafkajs can encode; resolves to its answer as decoded, error codes and all. */
  async request(nodeId: number, apiName: string, parameters: object, timeoutMs?: number): Promise<unknown> {
    return this.#send(await this.#broker(nodeId), apiName, parameters, timeoutMs);
  }

  /** Sends a request that was encoded here. */
  async call(nodeId: number, call: ProtocolCall): Promise<unknown> {
    const broker = await this.#broker(nodeId);
    return this.#inTime(
      `the answer to ${call.request.apiName}`,
      broker.connectionPool.send(call),
      this.#options.requestTimeoutMs,
    );
  }

  /** Ends every connection at once; whoever waits for an answer gets `reason`. */
  close(reason: Error = new Error('the connection was closed')): void {
    this.#closed ??= reason;
    for (const socket of this.#sockets) socket.destroy(this.#closed);
    this.#sockets.clear();
  }

  async #send(broker: Broker, apiName: string, parameters: object, timeoutMs?: number): Promise<unknown> {
    const definition = requests[apiName];
    const apiKey = apiKeys[apiName];
    if (definition === undefined || apiKey === undefined) throw new Error(`kafkajs knows no ${apiName}`);
    const { request, response } = broker.lookupRequest(apiKey, definition)(parameters);
    // kafkajs' own reading of an answer keeps but one of its errors, and not always the telling one.
    const asIs = { decode: response.decode, parse: async (decoded: unknown) => decoded };
    return this.#inTime(
      `the answer to ${apiName}`,
      broker.connectionPool.send({ request, response: asIs }),
      timeoutMs ?? this.#options.requestTimeoutMs,
    );
  }

  #anyBroker(): Broker {
    const broker = this.#seeds[0];
    if (broker === undefined) throw new Error('the cluster is not connected');
    return broker;
  }

  /** On one connection, also for those who want it at once: a broker keeps the order of no more than that. */
  #broker(nodeId: number): Promise<Broker> {
    const known = this.#brokers.get(nodeId);
    if (known !== undefined) return known;
    const connecting = this.#connectTo(nodeId);
    this.#brokers.set(nodeId, connecting);
    connecting.catch(() => this.#brokers.delete(nodeId));
    return connecting;
  }

  async #connectTo(nodeId: number): Promise<Broker> {
    const address = this.#addresses.get(nodeId);
    if (address === undefined) throw new Error(`broker ${nodeId} is not there`);
    const broker = this.#makeBroker(address, nodeId);
    await this.#inTime(`connecting to ${address}`, broker.connect(), this.#options.connectTimeoutMs);
    return broker;
  }

  #makeBroker(address: string, nodeId: number | null): Broker {
    const { clientId, tls, sasl, connectTimeoutMs, requestTimeoutMs } = this.#options;
    const at = address.lastIndexOf(':');
    const connectionPool = new ConnectionPool({
      host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'),
      port: Number(address.slice(at + 1)),
      clientId,
      ssl: tls,
      sasl,
      connectionTimeout: connectTimeoutMs,
      requestTimeout: requestTimeoutMs,
      enforceRequestTimeout: false, // #inTime does, also before a request is sent
      maxInFlightRequests,
      socketFactory: (request) => this.#openSocket(request),
      logger: this.#logger,
    });
    return new Broker({ connectionPool, nodeId, logger: this.#logger, allowAutoTopicCreation: false });
  }

  #openSocket({ host, port, ssl, onConnect }: SocketRequest): Socket {
    if (this.#closed !== undefined) throw this.#closed;
    const serverName = isIP(host) === 0 ? { servername: host } : {};
    const socket =
      ssl === null
        ? connectPlain({ host, port }, onConnect)
        : connectTls({ host, port, ...serverName, ...ssl }, onConnect);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  /** What kafkajs promises, or an error in time; after that error nothing of the cluster is used any more. */
  async #inTime<Answer>(
    what: string,
    work: Promise<Answer>,
    timeoutMs: number,
    isEnd = true,
  ): Promise<Answer> {
    if (this.#closed !== undefined) {
      work.catch(() => undefined);
      throw this.#closed;
    }
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new Error(`${what} did not come within ${timeoutMs} ms`);
        reject(error);
        if (isEnd) this.close(error);
      }, timeoutMs);
    });
    try {
      return await Promise.race([work, expired]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Produce, version 7, is what `produceCall` writes; it came with Kafka 2.1. */
const requireNewEnough = ({ versions }: Broker, address: string): void => {
  if ((versions?.[apiKeys['Produce'] ?? 0]?.maxVersion ?? 0) >= 7) return;
  throw new TailraceError('SINK_FAILED', `the Kafka at ${address} is too old`, {
    context: { sink: address },
    remedy: 'Kafka 2.1 or later is needed.',
  });
};

/** kafkajs tells of each failure as well as throwing it: what matters reaches the pipeline as an error. */
const relay = (
  log: Logger,
  { namespace, log: entry }: { readonly namespace: string; readonly log: { readonly message: string } },
): void => {
  const { broker } = entry as { broker?: unknown };
  log.debug(`kafkajs ${namespace}: ${entry.message}`, broker === undefined ? {} : { broker });
};

interface MetadataAnswer {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly controllerId: number;
  readonly topicMetadata: readonly {
    readonly topic: string;
    readonly topicErrorCode: number;
    readonly partitionMetadata: readonly {
      readonly partitionId: number;
      readonly leader: number;
      readonly replicas: readonly number[];
    }[];
  }[];
}

const unknownTopic = 3;
const leaderNotAvailable = 5;
const transactionCoordinator = 1;
/** A broker keeps the order of an idempotent producer for as many requests under way on one connection. */
const maxInFlightRequests = 5;
const keepAliveMs = 60_000;
/** kafkajs' level WARN; what lies below is made for each request. */
const warnLevel = 2;
