import { createServer, type Server, type Socket } from 'node:net';

/**
 * Answers commands with bytes that a test chooses: for answers that our own server never gives, such as those of a
 * Kvrocks whose log was purged. Commands must arrive as arrays without line ends in their words.
 */
export class ScriptedServer implements AsyncDisposable {
  readonly commands: string[][] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** @param answer the bytes of the reply; undefined = never answer; 'hang up' = close the connection */
  static async open(answer: (words: string[]) => string | undefined): Promise<ScriptedServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new ScriptedServer(server, answer);
  }

  private constructor(server: Server, answer: (words: string[]) => string | undefined) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      let received = '';
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1');
        for (let taken = takeCommand(received); taken !== undefined; taken = takeCommand(received)) {
          received = received.slice(taken.length);
          this.commands.push(taken.words);
          const reply = answer(taken.words);
          if (reply === 'hang up') socket.destroy();
          else if (reply !== undefined) socket.write(reply, 'latin1');
        }
      });
    });
  }

  get url(): string {
    const address = this.#server.address();
    return `redis://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

const takeCommand = (text: string): { words: string[]; length: number } | undefined => {
  const lines = text.split('\r\n');
  const words = Number(lines[0]?.slice(1));
  if (!text.startsWith('*') || lines.length < 2 + 2 * words) return undefined;
  const used = lines.slice(0, 1 + 2 * words);
  return { words: used.filter((_, at) => at > 0 && at % 2 === 0), length: `${used.join('\r\n')}\r\n`.length };
};
