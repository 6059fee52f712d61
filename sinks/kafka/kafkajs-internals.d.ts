// The parts of kafkajs 2.2.4 below its producer, consumer and admin that the sink builds on: one broker, its connections
// (TLS, SASL), and the requests that kafkajs knows. The version is pinned in package.json for that reason.

declare module 'kafkajs/src/broker/index.js' {
  import type { Logger } from 'kafkajs/src/loggers/index.js';
  import type ConnectionPool from 'kafkajs/src/network/connectionPool.js';
  import type { RequestDefinition, RequestMaker } from 'kafkajs/src/protocol/requests/index.js';

  export default class Broker {
    constructor(options: {
      connectionPool: ConnectionPool;
      logger: Logger;
      nodeId?: number | null;
      authenticationTimeout?: number;
      allowAutoTopicCreation?: boolean;
    });
    readonly connectionPool: ConnectionPool;
    readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>> | null;
    /** Connects, asks for the versions of the API, authenticates. */
    connect(): Promise<void>;
    isConnected(): boolean;
    /** The newest version of a request that both sides know. */
    lookupRequest(apiKey: number, definition: RequestDefinition): RequestMaker;
  }
}

declare module 'kafkajs/src/network/connectionPool.js' {
  import type { Socket } from 'node:net';
  import type { ConnectionOptions } from 'node:tls';
  import type { SASLOptions } from 'kafkajs';
  import type { Logger } from 'kafkajs/src/loggers/index.js';
  import type { ProtocolCall } from 'kafkajs/src/protocol/requests/index.js';

  export interface SocketRequest {
    readonly host: string;
    readonly port: number;
    readonly ssl: ConnectionOptions | null;
    readonly onConnect: () => void;
  }

  export default class ConnectionPool {
    constructor(options: {
      host: string;
      port: number;
      logger: Logger;
      clientId: string;
      ssl: ConnectionOptions | null;
      sasl: SASLOptions | null;
      connectionTimeout: number;
      requestTimeout: number;
      enforceRequestTimeout: boolean;
      maxInFlightRequests: number;
      socketFactory: (request: SocketRequest) => Socket;
    });
    send(call: ProtocolCall): Promise<unknown>;
    destroy(): Promise<void>;
  }
}

declare module 'kafkajs/src/network/requestQueue/index.js' {
  /** The requests of one connection: under way, and waiting for room or for the end of throttling. */
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    /** Sets a timer, unless one is set, by which those that wait are looked at. */
    scheduleCheckPendingRequests(): void;
  }
}

declare module 'kafkajs/src/protocol/requests/index.js' {
  import type Encoder from 'kafkajs/src/protocol/encoder.js';

  export interface ProtocolCall {
    readonly request: {
      readonly apiKey: number;
      readonly apiVersion: number;
      readonly apiName: string;
      readonly encode: () => Promise<Encoder>;
      readonly expectResponse?: () => boolean;
    };
    readonly response: {
      readonly decode: (payload: Buffer) => Promise<unknown>;
      readonly parse: (decoded: unknown) => Promise<unknown>;
    };
    readonly logResponseError?: boolean;
  }
  export type RequestMaker = (parameters: object) => ProtocolCall;
  export interface RequestDefinition {
    readonly versions: readonly string[];
    readonly protocol: (choice: { version: number }) => RequestMaker;
  }
  export const requests: Readonly<Record<string, RequestDefinition>>;
}

declare module 'kafkajs/src/protocol/requests/apiKeys.js' {
  const apiKeys: Readonly<Record<string, number>>;
  export default apiKeys;
}

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    constructor(initialSize?: number);
    buf: Buffer;
    offset: number;
  }
}

declare module 'kafkajs/src/loggers/index.js' {
  import type { logCreator } from 'kafkajs';

  export interface Logger {
    namespace(name: string): Logger;
  }
  export const createLogger: (options: { level: number; logCreator: logCreator }) => Logger;
}
