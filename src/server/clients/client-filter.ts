import type { Connection } from '../connection.js';

/** Which clients CLIENT KILL and CLIENT LIST mean; a field that is absent leaves nobody out. */
export interface ClientFilter {
  readonly id?: string;
  readonly address?: string;
  readonly localAddress?: string;
  readonly type?: string;
  readonly maxAgeSeconds?: number;
  /** Leaves out who asks. */
  readonly isSkippingMe: boolean;
  /** The old form: `CLIENT KILL address`. */
  readonly isAddressAlone: boolean;
}

/**
 * Reads `address`, or `[ID id] [ADDR a] [LADDR a] [TYPE t] [USER u] [MAXAGE s] [SKIPME yes|no]`.
 * @returns the filter, or the error text for the client
 */
export const parseClientFilter = (words: readonly Buffer[], mayBeAddress = true): ClientFilter | string => {
  const texts = words.map((word) => word.toString('latin1'));
  if (mayBeAddress && texts.length === 1)
    return { address: texts[0], isSkippingMe: false, isAddressAlone: true };
  const filter: { -readonly [Field in keyof ClientFilter]: ClientFilter[Field] } = {
    isSkippingMe: mayBeAddress, // a list shows who asks, a kill spares him
    isAddressAlone: false,
  };
  if (texts.length % 2 !== 0) return 'ERR syntax error';
  for (let i = 0; i < texts.length; i += 2) {
    const value = texts[i + 1];
    switch (texts[i].toUpperCase()) {
      case 'ID':
        if (!/^[1-9]\d*$/.test(value)) return 'ERR client-id should be greater than 0';
        filter.id = value;
        break;
      case 'ADDR':
        filter.address = value;
        break;
      case 'LADDR':
        filter.localAddress = value;
        break;
      case 'TYPE':
        if (!clientTypes.has(value.toLowerCase())) return `ERR Unknown client type '${value}'`;
        filter.type = value.toLowerCase();
        break;
      case 'USER':
        if (value !== 'default') return `ERR No such user '${value}'`;
        break;
      case 'MAXAGE':
        if (!/^\d+$/.test(value)) return 'ERR maxage is not an integer or out of range';
        filter.maxAgeSeconds = Number(value);
        break;
      case 'SKIPME':
        if (!/^(yes|no)$/i.test(value)) return 'ERR syntax error';
        filter.isSkippingMe = value.toLowerCase() === 'yes';
        break;
      default:
        return 'ERR syntax error';
    }
  }
  return filter;
};

export const matchesClient = (filter: ClientFilter, client: Connection, asker: Connection): boolean =>
  !(filter.isSkippingMe && client === asker) &&
  (filter.id === undefined || filter.id === String(client.id)) &&
  (filter.address === undefined || filter.address === client.address) &&
  (filter.localAddress === undefined || filter.localAddress === client.localAddress) &&
  (filter.type === undefined || filter.type === (client.isSubscriber ? 'pubsub' : 'normal')) &&
  (filter.maxAgeSeconds === undefined || Date.now() - client.createdAtMs >= filter.maxAgeSeconds * 1000);

const clientTypes = new Set(['normal', 'pubsub', 'master', 'replica', 'slave']);
