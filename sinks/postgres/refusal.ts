import { codeOf, isTailraceError, TailraceError } from '../../src/kit/index.js';

/** What can be done about an error. */
export type ErrorKind =
  /** The connection is gone, or not to this server any more: only a new claim knows. */
  | 'lost'
  /** Nothing was applied; the same again may succeed. */
  | 'busy'
  /** Some value will never be taken. */
  | 'data'
  | 'forbidden'
  | 'other';

/** The SQLSTATE of an error of the server (PostgreSQL documentation, appendix A); all have a digit, EPIPE has none. */
export const sqlStateOf = (error: unknown): string | undefined => {
  const code = codeOf(error);
  return /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined;
};

/** By what an error of a statement is to be answered. Errors without SQLSTATE are those of the connection. */
export const errorKind = (error: unknown): ErrorKind => {
  const state = sqlStateOf(error);
  if (state === undefined || isFatalSeverity(error)) return 'lost';
  if (lostStates.test(state)) return 'lost';
  if (busyStates.test(state)) return 'busy';
  if (dataStates.test(state)) return 'data';
  return forbiddenStates.test(state) ? 'forbidden' : 'other';
};

/** What a claim failed with, as the error that the pipeline acts on. */
export const asSinkError = (error: unknown, place: string): TailraceError => {
  if (isTailraceError(error)) return error;
  const reason = reasonOf(error);
  const state = sqlStateOf(error);
  const isRefused =
    state === undefined
      ? refusedByClient.test(reason)
      : refusedStates.test(state) || errorKind(error) === 'other';
  if (isRefused || errorKind(error) === 'forbidden')
    return new TailraceError('SINK_REFUSED', `${place} refuses: ${reason}`, {
      context: { sink: place, ...(state === undefined ? {} : { sqlState: state }) },
      remedy: 'Check the user, its password and its rights, the database, and the settings of TLS.',
      cause: error,
    });
  return new TailraceError('SINK_UNREACHABLE', `cannot use ${place}: ${reason}`, {
    context: { sink: place, ...(state === undefined ? {} : { sqlState: state }) },
    remedy: 'Check the address, and that the server is running and takes writes.',
    cause: error,
  });
};

/** What an error says; of several addresses that were tried in vain, what each said. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message || error.name : String(error);
};

const isFatalSeverity = (error: unknown): boolean =>
  error instanceof Error && 'severity' in error && (error.severity === 'FATAL' || error.severity === 'PANIC');

/** Connection exceptions, shutdown and crash, a server that has become a standby. */
const lostStates = /^(08...|57P0[1-5]|25006)$/;
/** Serialization failure, deadlock, lock timeout, cancelled or timed out, out of disk, memory or connections, I/O. */
const busyStates = /^(40...|55P03|57014|53...|58030)$/;
/**
 * Values, constraints, and limits such as the size of an index entry. No bytes that are not in the form of their column: all
 * of them would be refused, since its type was changed meanwhile.
 */
const dataStates = /^(22(?!P0[34])...|23...|54...)$/;
const forbiddenStates = /^(42501|28...)$/;
/** Wrong user or password, and no such database. */
const refusedStates = /^(28...|3D000)$/;
/** Also files of the URL that are no certificate or key, or cannot be read: `ENOENT: …, open`, other than `connect ENOENT`. */
const refusedByClient =
  /client password must be|SSL|[Cc]ertificate|self-signed|PEM routines|bad decrypt|^E[A-Z]+: /;
