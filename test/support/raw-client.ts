import { connect, type Socket } from 'node:net';

/** A connection for tests that look at the very bytes. */
export class RawClient {
  readonly socket: Socket;
  #chunks: Buffer[] = [];
  #receivedBytes = 0;
  #isClosed = false;
  #wake: () => void = () => undefined;

  static open(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new RawClient(socket)));
      socket.once('error', reject);
    });
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#receivedBytes += chunk.length;
      this.#wake();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** The next `length` bytes, or fewer when the connection closes first. */
  async read(length: number): Promise<Buffer> {
    while (this.#receivedBytes < length && !this.#isClosed) await this.#more();
    const all = Buffer.concat(this.#chunks);
    const taken = all.subarray(0, length);
    this.#chunks = [all.subarray(taken.length)];
    this.#receivedBytes -= taken.length;
    return taken;
  }

  /** Everything until the connection closes. */
  async readToEnd(): Promise<Buffer> {
    while (!this.#isClosed) await this.#more();
    return this.read(this.#receivedBytes);
  }

  /** Sends an inline or encoded command and reads as many bytes as the expected reply has. */
  async ask(request: string | Uint8Array, expected: string): Promise<string> {
    this.write(request);
    return (await this.read(Buffer.byteLength(expected, 'latin1'))).toString('latin1');
  }

  close(): void {
    this.socket.destroy();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
