import { asError, codeOf, isTailraceError, TailraceError } from '../../src/kit/index.js';

/** What can be done about an answer of a broker that is not "done". */
export type RefusalKind =
  /** A later claimant has the transactional id, or the broker gave up our transaction. */
  | 'fenced'
  /** The same again later. */
  | 'busy'
  /** Another broker, or this one in another state: connect and look again. */
  | 'moved'
  | 'forbidden'
  /** The topic does not exist. */
  | 'absent'
  | 'too-large'
  | 'invalid-record'
  /** Somebody created it first. */
  | 'exists'
  | 'other';

const fencedBy =
  'another process has this transactionalId, or the brokers gave up what took longer than transactionTimeout';

/** The answers that are acted on, by Kafka's error codes. */
const refusals: Readonly<Record<number, readonly [name: string, kind: RefusalKind]>> = {
  [-1]: ['UNKNOWN_SERVER_ERROR', 'moved'],
  1: ['OFFSET_OUT_OF_RANGE', 'moved'],
  3: ['UNKNOWN_TOPIC_OR_PARTITION', 'absent'],
  5: ['LEADER_NOT_AVAILABLE', 'moved'],
  6: ['NOT_LEADER_OR_FOLLOWER', 'moved'],
  7: ['REQUEST_TIMED_OUT', 'moved'],
  10: ['MESSAGE_TOO_LARGE', 'too-large'],
  13: ['NETWORK_EXCEPTION', 'moved'],
  14: ['COORDINATOR_LOAD_IN_PROGRESS', 'busy'],
  15: ['COORDINATOR_NOT_AVAILABLE', 'busy'],
  16: ['NOT_COORDINATOR', 'moved'],
  17: ['INVALID_TOPIC_EXCEPTION', 'other'],
  18: ['RECORD_LIST_TOO_LARGE', 'too-large'],
  19: ['NOT_ENOUGH_REPLICAS', 'busy'],
  20: ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'moved'],
  29: ['TOPIC_AUTHORIZATION_FAILED', 'forbidden'],
  31: ['CLUSTER_AUTHORIZATION_FAILED', 'forbidden'],
  35: ['UNSUPPORTED_VERSION', 'other'],
  36: ['TOPIC_ALREADY_EXISTS', 'exists'],
  38: ['INVALID_REPLICATION_FACTOR', 'other'],
  41: ['NOT_CONTROLLER', 'moved'],
  44: ['POLICY_VIOLATION', 'other'],
  45: ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'moved'],
  47: [`INVALID_PRODUCER_EPOCH (${fencedBy})`, 'fenced'],
  48: ['INVALID_TXN_STATE', 'fenced'],
  49: ['INVALID_PRODUCER_ID_MAPPING', 'fenced'],
  50: ['INVALID_TRANSACTION_TIMEOUT', 'other'],
  51: ['CONCURRENT_TRANSACTIONS', 'busy'],
  53: ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'forbidden'],
  55: ['OPERATION_NOT_ATTEMPTED', 'moved'],
  56: ['KAFKA_STORAGE_ERROR', 'moved'],
  58: ['SASL_AUTHENTICATION_FAILED', 'forbidden'],
  59: ['UNKNOWN_PRODUCER_ID', 'fenced'],
  76: ['UNSUPPORTED_COMPRESSION_TYPE', 'other'],
  87: ['INVALID_RECORD', 'invalid-record'],
  90: [`PRODUCER_FENCED (${fencedBy})`, 'fenced'],
};

/** A broker answered a request with an error code. */
export class Refused extends Error {
  readonly code: number;
  readonly kind: RefusalKind;

  constructor(code: number, what: string) {
    const [name, kind] = refusals[code] ?? [`error code ${code}`, 'other'];
    super(`${what}: ${name}`);
    this.name = 'Refused';
    this.code = code;
    this.kind = kind;
  }
}

export const isRefused = (error: unknown, kind: RefusalKind): error is Refused =>
  error instanceof Refused && error.kind === kind;

/** @throws Refused unless `code` is 0 */
export const requireSuccess = (code: number, what: string): void => {
  if (code !== 0) throw new Refused(code, what);
};

/** What a claim or a write failed with, as the error that the pipeline acts on. */
export const asSinkError = (error: unknown, place: string): TailraceError => {
  if (isTailraceError(error)) return error;
  const cause = innermost(error);
  const context = { sink: place };
  const isForbidden =
    isRefused(cause, 'forbidden') ||
    cause.name === 'KafkaJSSASLAuthenticationError' ||
    saslRefusals.has(codeOf(cause));
  if (isForbidden)
    return new TailraceError('SINK_REFUSED', `${place} refuses: ${cause.message}`, {
      context,
      remedy:
        'Check sasl.username, sasl.password and sasl.mechanism, and what the user may do (docs/sinks.md).',
      cause,
    });
  if (/^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|EPROTO)/.test(codeOf(cause)))
    return new TailraceError('SINK_REFUSED', `no TLS connection to ${place}: ${alertOf(cause.message)}`, {
      context,
      remedy:
        'Check tls.enabled, tls.ca, tls.cert and the port: brokers have one port with TLS and another without.',
      cause,
    });
  if (cause instanceof Refused && cause.kind === 'other')
    return new TailraceError('SINK_FAILED', `${place} refuses: ${cause.message}`, {
      context,
      remedy: 'Check the options of the sink against the settings of the brokers.',
      cause,
    });
  return new TailraceError('SINK_UNREACHABLE', `cannot write to ${place}: ${cause.message}`, {
    context,
    remedy: 'Check brokers, and that every advertised listener can be reached from here.',
    cause,
  });
};

/** OpenSSL tells as well where in its source it heard of an alert. */
const alertOf = (message: string): string =>
  message.replace(/[0-9A-F]+:error:[0-9A-F]+:SSL routines:[^:]*:([^:]+):[\s\S]*/, '$1');

/** kafkajs wraps what it gives up on. */
const innermost = (error: unknown): Error => {
  let inner = asError(error);
  while (
    /^KafkaJS(NonRetriableError|NumberOfRetriesExceeded)$/.test(inner.name) &&
    inner.cause instanceof Error
  )
    inner = inner.cause;
  return inner;
};

/**
 * UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE (a listener without SASL), SASL_AUTHENTICATION_FAILED; as kafkajs
 * tells them.
 */
const saslRefusals: ReadonlySet<unknown> = new Set(['33', '34', '58']);
