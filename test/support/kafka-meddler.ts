import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What happens to an answer: other bytes behind its correlation id, no answer (unless `deliver` is called later), or the
 * end of the connection.
 */
export type Meddling = (payload: Buffer, deliver: () => void) => Buffer | 'hold' | 'cut';

/** Requests that a test meddles with, by Kafka's API keys. */
export const Api = {
  Produce: 0,
  FindCoordinator: 10,
  ApiVersions: 18,
  CreateTopics: 19,
  EndTxn: 26,
} as const;

/**
 * Stands between a client and a Kafka broker and lets a test change single answers: what a broker under stress answers
 * once in a year. The broker has done what was asked before its answer is touched.
 */
export class KafkaMeddler implements AsyncDisposable {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();
  readonly #instead: { readonly api: number; readonly answer: (request: Buffer) => Buffer }[] = [];
  readonly #pending: { readonly api: number; readonly meddling: Meddling }[] = [];

  static async open(targetPort: number, listenPort: number): Promise<KafkaMeddler> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(listenPort, '127.0.0.1', resolve));
    return new KafkaMeddler(server, targetPort);
  }

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    server.on('connection', (client) => this.#join(client));
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** The next answer to this API goes through `meddling`. */
  meddle(api: number, meddling: Meddling): void {
    this.#pending.push({ api, meddling });
  }

  /** The next request to this API never reaches the broker: it is answered here, from its body. */
  answerInstead(api: number, answer: (request: Buffer) => Buffer): void {
    this.#instead.push({ api, answer });
  }

  /** Ends every connection in good order; resolves when all are gone. */
  async hangUp(): Promise<void> {
    const gone = [...this.#sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of this.#sockets) socket.end();
    await Promise.all(gone);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(client: Socket): void {
    const target = connect(this.#targetPort, '127.0.0.1');
    const apiOf = new Map<number, number>();
    for (const socket of [client, target]) {
      this.#sockets.add(socket);
      const end = (): void => {
        client.destroy();
        target.destroy();
        this.#sockets.delete(socket);
      };
      socket.on('error', end);
      socket.on('close', end);
    }
    client.on(
      'data',
      frames((frame) => {
        const api = frame.readInt16BE(4);
        apiOf.set(frame.readInt32BE(8), api);
        const at = this.#instead.findIndex((instead) => instead.api === api);
        const [instead] = at < 0 ? [] : this.#instead.splice(at, 1);
        if (instead === undefined) target.write(frame);
        else
          client.write(
            framed(frame.readInt32BE(8), instead.answer(frame.subarray(14 + frame.readInt16BE(12)))),
          );
      }),
    );
    target.on(
      'data',
      frames((frame) => {
        const api = apiOf.get(frame.readInt32BE(4));
        const at = this.#pending.findIndex((pending) => pending.api === api);
        const [found] = at < 0 ? [] : this.#pending.splice(at, 1);
        const deliver = (): void => void client.write(frame);
        const answer = found === undefined ? frame.subarray(8) : found.meddling(frame.subarray(8), deliver);
        if (answer === 'cut') client.resetAndDestroy();
        if (Buffer.isBuffer(answer)) client.write(framed(frame.readInt32BE(4), answer));
      }),
    );
  }
}

/** An answer as a frame: its length, the correlation id of the request, the answer. */
const framed = (correlation: number, answer: Buffer): Buffer => {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + answer.length, 0);
  head.writeInt32BE(correlation, 4);
  return Buffer.concat([head, answer]);
};

/** Cuts a stream into whole frames: 4 bytes of length, then so many. */
const frames = (onFrame: (frame: Buffer) => void): ((chunk: Buffer) => void) => {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const length = 4 + rest.readInt32BE(0);
      onFrame(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  };
};
