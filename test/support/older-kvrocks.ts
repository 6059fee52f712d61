import { connect, createServer } from 'node:net';

/** A server on loopback that answers as a Kvrocks does that lacks something: what it cannot do, it does not know. */
export interface PosingKvrocks extends AsyncDisposable {
  readonly url: string;
}

/** One from before POLLUPDATES. @param port of a tailrace, to which everything else goes */
export const openOlderKvrocks = (port: number): Promise<PosingKvrocks> =>
  openPosing(port, ['POLLUPDATES', 'RECORDS', 'SEQUENCE'], '2.9 ');

/** One that has POLLUPDATES, but nothing that only a tailrace has. */
export const openKvrocks = (port: number): Promise<PosingKvrocks> =>
  openPosing(port, ['RECORDS', 'SLOT', 'STREAMUPDATES', 'CHECKPOINT'], '2.10');

/** @param version of four characters: the answer keeps its length */
const openPosing = async (
  port: number,
  unknown: readonly string[],
  version: string,
): Promise<PosingKvrocks> => {
  const words = new RegExp(`\\r\\n(${unknown.join('|')})\\r\\n`, 'g');
  const server = createServer((client) => {
    const target = connect(port, '127.0.0.1');
    // Each name becomes one of the same length that no server has.
    client.on('data', (bytes: Buffer) =>
      target.write(replaced(bytes, words, (_, name) => `\r\nX${name.slice(1)}\r\n`)),
    );
    target.on('data', (bytes: Buffer) =>
      client.write(replaced(bytes, /server_name:tailrace/g, () => `kvrocks_version:${version}`)),
    );
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

const replaced = (bytes: Buffer, pattern: RegExp, replace: (found: string, name: string) => string): Buffer =>
  Buffer.from(bytes.toString('latin1').replace(pattern, replace), 'latin1');
