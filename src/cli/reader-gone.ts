import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { createServer, Socket } from 'node:net';

/**
 * A signal that aborts when whoever read our standard output has gone, such as `head`, although nothing is being written.
 *
 * Only a write meets EPIPE, and an idle source gives nothing to write. The kernel tells an end of a pipe that its other
 * end is closed when one waits for that end to become *readable*; Node.js waits so on sockets alone, so a second end of
 * the same pipe is watched as if it were one. Where that cannot be done (another system, another Node.js) the signal
 * never aborts, and the next write ends the process as before.
 */
export const onReaderGone = async (): Promise<AbortSignal> => {
  const gone = new AbortController();
  try {
    if (fstatSync(1).isFIFO()) watch(await socketHandle(), gone);
  } catch {
    // No Linux: it has to do without.
  }
  return gone.signal;
};

interface SocketHandle {
  open(fd: number): number;
}

/** A socket as Node.js has them below its streams, connected to nothing. */
const socketHandle = async (): Promise<SocketHandle> => {
  const server = createServer();
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen({ host: '127.0.0.1', port: 0 }, resolve),
  );
  const handle: object = Reflect.get(server, '_handle');
  server.close();
  return Reflect.construct(Reflect.get(handle, 'constructor'), [plainSocket]);
};

const watch = (handle: SocketHandle, gone: AbortController): void => {
  // A named pipe whose reader has gone already would not open before another one comes.
  const fd = openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK);
  if (handle.open(fd) !== 0) {
    closeSync(fd);
    return;
  }
  const socket: Socket = Reflect.construct(Socket, [{ handle, writable: false }]);
  // It cannot be read: that it is tried is the news.
  socket.on('error', () => gone.abort());
  socket.resume();
  socket.unref();
};

/** What `TCP.SOCKET` is in Node.js. */
const plainSocket = 0;
