import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Stands between a client and a server on loopback, so that a test can cut the line, stall it or hold back one direction
 * at a chosen moment. Nothing is reordered; what is held back is lost when the line is cut.
 */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #lines = new Set<{ client: Socket; target: Socket }>();
  #targetPort: number;
  #holdsReplies = false;
  #isStalled = false;
  #allowedBytes = Number.POSITIVE_INFINITY;
  /** What clients sent when no more was allowed, and to whom it goes. */
  #heldBack: { readonly target: Socket; readonly bytes: Buffer }[] = [];
  /** Bytes that the server sent and that reached the proxy, held back ones included. */
  repliedBytes = 0;
  /** Lines that were ever opened. */
  joinedLines = 0;
  /** Sees what the server sends before the client does: the moment to do harm. */
  onReply: (bytes: Buffer) => void = () => undefined;

  static async open(targetPort: number, listenPort = 0): Promise<TcpProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(listenPort, '127.0.0.1', resolve));
    return new TcpProxy(server, targetPort);
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

  /** Lines that are opened from now on lead to another server. */
  turnTo(targetPort: number): void {
    this.#targetPort = targetPort;
  }

  /** From now on what the server answers reaches nobody. */
  holdReplies(): void {
    this.#holdsReplies = true;
  }

  releaseReplies(): void {
    this.#holdsReplies = false;
  }

  /** From now on nothing gets through, either way, and nobody is told; new lines included. */
  stall(): void {
    this.#isStalled = true;
    for (const { client, target } of this.#lines) {
      client.pause();
      target.pause();
    }
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** Stalls as soon as clients have sent so many bytes more. */
  stallAfter(bytes: number): void {
    this.#allowedBytes = bytes;
  }

  /** All of what was stalled goes on its way. */
  resume(): void {
    this.#isStalled = false;
    this.#allowedBytes = Number.POSITIVE_INFINITY;
    for (const { target, bytes } of this.#heldBack.splice(0)) target.write(bytes);
    for (const { client, target } of this.#lines) {
      client.resume();
      target.resume();
    }
  }

  /** Cuts every open line at once, both ways. New ones may be opened. */
  cut(): void {
    for (const { client, target } of this.#lines) {
      client.resetAndDestroy();
      target.resetAndDestroy();
    }
    this.#lines.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #pass(target: Socket, bytes: Buffer): void {
    const allowed = bytes.subarray(0, this.#allowedBytes);
    this.#allowedBytes -= allowed.length;
    if (allowed.length > 0) target.write(allowed);
    if (allowed.length === bytes.length) return;
    this.#heldBack.push({ target, bytes: bytes.subarray(allowed.length) });
    this.stall();
  }

  #join(client: Socket): void {
    const target = connect(this.#targetPort, '127.0.0.1');
    const line = { client, target };
    this.#lines.add(line);
    this.joinedLines++;
    client.setNoDelay(true);
    target.setNoDelay(true);
    client.on('data', (bytes: Buffer) => this.#pass(target, bytes));
    target.on('data', (bytes: Buffer) => {
      this.repliedBytes += bytes.length;
      this.onReply(bytes);
      if (!this.#holdsReplies) client.write(bytes);
    });
    const end = (): void => {
      this.#lines.delete(line);
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) {
      if (this.#isStalled) socket.pause();
      socket.on('error', end);
      socket.on('close', end);
    }
  }
}
