import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { ArgumentViews } from '../resp/index.js';

/**
 * Reads an accepted connection into one buffer that all connections share, where Node would take 64 KiB of new memory for
 * each read: a fifth of what the socket costs for a chunk of small commands. Returns the socket to use in place of
 * `accepted`, which is closed with it.
 *
 * `receive` borrows the bytes: they are gone when it returns. They are the start of the memory of `views`. Connections by
 * TLS are read as usual, with memory of their own for each chunk. When the client ends its side, the other one stays open
 * for replies, until the socket is ended. Hot: bench `server`.
 */
export const readShared = (
  accepted: Socket,
  receive: (chunk: Buffer, views?: ArgumentViews) => void,
): Socket => {
  const handle = accepted instanceof TLSSocket ? undefined : takeHandle(accepted);
  if (handle === undefined) {
    accepted.allowHalfOpen = true;
    accepted.on('data', (chunk) => receive(chunk));
    return accepted;
  }
  const options = {
    allowHalfOpen: true,
    handle,
    onread: {
      buffer: readViews.memory,
      callback: (length: number): boolean => {
        receive(readViews.of(0, length), readViews);
        return true;
      },
    },
  };
  const socket = new Socket(options);
  socket.once('close', () => accepted.destroy()); // the server counts it
  return socket;
};

/**
 * What the socket reads from and writes to, which is the caller's from now on. Sockets of a server know no option
 * `onread`, only those that are made do; a Node that keeps the handle elsewhere is served as usual.
 */
const takeHandle = (accepted: Socket): object | undefined => {
  const handle: unknown = Reflect.get(accepted, '_handle');
  if (typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return undefined;
  Reflect.set(accepted, '_handle', null);
  return handle;
};

/** One read fills it and is worked off before the next. */
const readViews = new ArgumentViews(Buffer.allocUnsafeSlow(64 * 1024));
