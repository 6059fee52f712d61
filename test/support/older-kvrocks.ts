import { connect, createServer } from 'node:net';

/** A server on loopback that answers as one before POLLUPDATES: what it was not yet able to do, it does not know. */
export interface OlderKvrocks extends AsyncDisposable {
  readonly url: string;
}

/** @param port of a tailrace, to which everything else goes */
export const openOlderKvrocks = async (port: number): Promise<OlderKvrocks> => {
  const server = createServer((client) => {
    const target = connect(port, '127.0.0.1');
    client.on('data', (bytes: Buffer) => target.write(withoutNews(bytes)));
    target.on('data', (bytes: Buffer) => client.write(bytes));
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ]) {
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `redis://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
};

/** Each name becomes one of the same length that no server has. */
const withoutNews = (bytes: Buffer): Buffer => {
  const text = bytes.toString('latin1');
  return Buffer.from(
    text.replace(/\r\n(POLLUPDATES|RECORDS|SEQUENCE)\r\n/g, (_, name: string) => `\r\nX${name.slice(1)}\r\n`),
    'latin1',
  );
};
