import { parseRedisUrl, type RespAddress, RespConnection } from '../resp/index.js';

/** The server that a sink's options name: where it is, and connections to it. */
export class RespServer {
  readonly address: RespAddress;
  readonly #answerTimeoutMs: number;

  /**
   * @param url redis://[user:password@]host:port[/database], or rediss://
   * @param password overrides that of the URL; '' = none
   * @param answerTimeoutMs how long it may be silent before a connection is given up
   * @throws TailraceError `CONFIG_INVALID`
   */
  constructor(url: string, password: string, answerTimeoutMs: number = defaultAnswerTimeoutMs) {
    this.address = parseRedisUrl(url, password);
    this.#answerTimeoutMs = answerTimeoutMs;
  }

  /** `host:port`, for messages. */
  get place(): string {
    return `${this.address.host}:${this.address.port}`;
  }

  /** A new connection, which is the caller's to close. @throws what `RespConnection.open` throws */
  connect(signal: AbortSignal): Promise<RespConnection> {
    return RespConnection.open(this.address, { signal, answerTimeoutMs: this.#answerTimeoutMs });
  }

  /** Runs `work` on a connection of its own, beside whatever else goes on. */
  async visit<Result>(
    signal: AbortSignal,
    work: (connection: RespConnection) => Promise<Result>,
  ): Promise<Result> {
    const connection = await this.connect(signal);
    try {
      return await work(connection);
    } finally {
      connection.close();
    }
  }
}

/** What `answerTimeout` of the sinks is when nobody says. */
export const defaultAnswerTimeoutMs = 60_000;
