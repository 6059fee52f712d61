import { afterAll, beforeAll } from 'vitest';
import { Engine, type EngineOptions } from '../../src/engine/index.js';
import { RespConnection } from '../../src/resp/index.js';
import { Server, type ServerOptions } from '../../src/server/index.js';
import { throwAwayDirectory } from '../services/index.js';

/** A store with its server, for all tests of one file. */
export interface ServedStore {
  /** Directory of the store. */
  readonly path: string;
  readonly engine: Engine;
  readonly server: Server;
  /** A connection with the server's own password. */
  readonly client: RespConnection;
  /** One more connection; closed with the others at the end. */
  connect(password?: string): Promise<RespConnection>;
}

/** Opens it before the tests of the file, and removes it behind them. */
export const useServer = (
  name: string,
  options: { readonly engine?: EngineOptions; readonly server?: Partial<ServerOptions> } = {},
): ServedStore => {
  const directory = throwAwayDirectory(name);
  const connections: RespConnection[] = [];
  let engine: Engine;
  let server: Server;
  beforeAll(async () => {
    engine = await Engine.open(directory.path, options.engine);
    server = await Server.listen(engine, { port: 0, ...options.server });
    await connect(options.server?.password);
  });
  afterAll(async () => {
    for (const connection of connections) connection.close();
    await server.close();
    await engine.close();
    directory.remove();
  });
  const connect = async (password?: string): Promise<RespConnection> => {
    const address = { host: '127.0.0.1', port: server.port };
    const connection = await RespConnection.open(password === undefined ? address : { ...address, password });
    connections.push(connection);
    return connection;
  };
  return {
    path: directory.path,
    get engine() {
      return engine;
    },
    get server() {
      return server;
    },
    get client() {
      return connections[0];
    },
    connect,
  };
};
