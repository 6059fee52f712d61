import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';

export interface ReceivedRequest {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Takes POST requests on loopback and answers them as a test says. */
export class HttpReceiver implements AsyncDisposable {
  readonly requests: ReceivedRequest[] = [];
  /** Answers one request; 200 by default. */
  answer: (request: ReceivedRequest, response: ServerResponse) => void = (_, response) => response.end();
  #server: Server;
  #port = 0;

  static async open(): Promise<HttpReceiver> {
    const receiver = new HttpReceiver();
    await receiver.listen();
    return receiver;
  }

  private constructor() {
    this.#server = this.#makeServer();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/events`;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens again on the port that it had. */
  async listen(): Promise<void> {
    this.#server = this.#makeServer();
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    const address = this.#server.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Drops every connection and takes no new one. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #makeServer(): Server {
    return createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const received = { headers: request.headers, body: Buffer.concat(chunks) };
        this.requests.push(received);
        this.answer(received, response);
      });
      request.on('error', () => response.destroy());
    });
  }
}
