import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { messageOf, TailraceError } from '../errors/index.js';

/** Where a server is and how it is spoken to. */
export interface RespAddress {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  /** Database number to SELECT. */
  readonly database?: number;
  /** A function is asked for each connection anew: the files of certificates are replaced now and then. */
  readonly tls?: ConnectionOptions | (() => ConnectionOptions);
}

/**
 * Reads `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS, which may name files (PEM):
 *
 *   rediss://host?cacert=FILE            trust this authority, or this certificate of the server, and no other
 *   rediss://host?cert=FILE&key=FILE     show this certificate to a server that demands one
 *
 * They are read now, and again for each connection.
 *
 * @param password overrides that of the URL; '' = none
 * @throws TailraceError `CONFIG_INVALID`
 */
export const parseRedisUrl = (text: string, password = ''): RespAddress => {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalidUrl(text, 'it is no URL, or its port is no port');
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    throw invalidUrl(text, `the scheme ${url.protocol}// is not redis:// or rediss://`);
  if (url.hostname === '') throw invalidUrl(text, 'it names no host');
  const database = url.pathname.length > 1 ? Number(url.pathname.slice(1)) : 0;
  if (!Number.isInteger(database) || database < 0) throw invalidUrl(text, 'the path is no database number');
  const username = decoded(text, url.username);
  const secret = password || decoded(text, url.password);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  filesOf(text, url); // what is wrong with them is told at once
  // A name of the server is told to it (SNI), an address must not be.
  const name = isIP(host) === 0 ? { servername: host } : {};
  return {
    host,
    port: url.port === '' ? 6379 : Number(url.port),
    ...(username === '' ? {} : { username }),
    ...(secret === '' ? {} : { password: secret }),
    ...(database > 0 ? { database } : {}),
    ...(url.protocol === 'rediss:'
      ? { tls: url.searchParams.size === 0 ? name : () => ({ ...name, ...filesOf(text, url) }) }
      : {}),
  };
};

const decoded = (text: string, part: string): string => {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalidUrl(text, 'a % of the user name or password must be written as %25');
  }
};

/** What the files hold that the parameters of the URL name. */
const filesOf = (text: string, url: URL): Pick<ConnectionOptions, 'ca' | 'cert' | 'key'> => {
  const { searchParams } = url;
  const unknown = [...searchParams.keys()].find((name) => !fileParameters.includes(name));
  if (unknown !== undefined)
    throw invalidUrl(text, `it has a parameter ${unknown}, and there are ${fileParameters.join(', ')}`);
  if (searchParams.size === 0) return {};
  if (url.protocol === 'redis:')
    throw invalidUrl(text, 'redis:// is without TLS, so it takes no certificates');
  if (searchParams.has('cert') !== searchParams.has('key'))
    throw invalidUrl(text, 'cert and key belong together');
  const [ca, cert, key] = fileParameters.map((name) => contentOf(text, searchParams.get(name)));
  const files = { ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert, key }) };
  try {
    if (ca !== undefined) new X509Certificate(ca); // a secure context takes any bytes for one
    createSecureContext(files);
  } catch (cause) {
    const reason = messageOf(cause);
    throw invalidUrl(text, `its files are no certificates, or the key is of another one (${reason})`);
  }
  return files;
};

const contentOf = (text: string, file: string | null): Buffer | undefined => {
  if (file === null) return undefined;
  try {
    return readFileSync(file);
  } catch (cause) {
    throw invalidUrl(text, messageOf(cause));
  }
};

const fileParameters = ['cacert', 'cert', 'key'];

const invalidUrl = (text: string, reason: string): TailraceError =>
  new TailraceError('CONFIG_INVALID', `${text.replace(/\/\/.*@/, '//***@')} is no address: ${reason}`, {
    context: { reason },
    remedy: 'Write redis://[user:password@]host:port, or rediss:// for TLS.',
  });
