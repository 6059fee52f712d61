import { TailraceError } from '../errors/index.js';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `host:port` or a port alone, which is on loopback. @throws TailraceError `USAGE` */
export const parseListenAddress = (text: string): ListenAddress => {
  const match = /^(?:(.+):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535)
    throw new TailraceError('USAGE', `${text} is no address to listen on`, {
      remedy: 'Write host:port, such as 127.0.0.1:6666; port 0 takes any free one.',
    });
  return { host: (match[1] ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port };
};
