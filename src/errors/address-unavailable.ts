import { TailraceError } from './tailrace-error.js';

/** An address to listen on that is taken, or none of this machine. */
export const addressUnavailable = (host: string, port: number, cause: Error): TailraceError =>
  new TailraceError('ADDRESS_UNAVAILABLE', `cannot listen on ${host}:${port}: ${cause.message}`, {
    context: { host, port },
    remedy: 'Choose another address or port (0 takes any free one), or stop the process that has it.',
    cause,
  });
