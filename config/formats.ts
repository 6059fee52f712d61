import convict from 'convict';
import { isTailraceError } from '../src/errors/index.js';
import { changeOps, changeTypes, parseRedisUrl } from '../src/kit/index.js';
import { suggest } from './problem.js';

/**
 * The formats of the schema beyond convict's own. Each coerces what a YAML file may hold to what the program uses:
 *
 *   required-string    a string that is not empty
 *   positive-integer   1, 2, 3 …
 *   whole-number       0, 1, 2 …
 *   duration           ms as a number, or text such as `500ms`, `30s`, `5m`, `2h`, `1d`: as long as a timer runs
 *   timeout            the same, above 0
 *   age                the same as a duration, of any length
 *   byte-size          bytes as a number, or text such as `512KiB`, `32MiB`, `1GiB`
 *   byte-limit         the same, or 0
 *   string-list        a list of strings
 *   filled-list        a list of at least one string
 *   type-list          a list of types of changes, such as hash
 *   op-list            a list of what happens to them, such as put
 *   string-map         a map of names to text
 *   map                a map of anything
 *   redis-url          redis://[user:password@]host:port[/database], or rediss://
 *   listen-address     host:port, a port alone, or nothing
 */
export const registerFormats = (): void => {
  if (isRegistered) return;
  isRegistered = true;
  convict.addFormats({
    'required-string': {
      validate: (value: unknown) => {
        if (typeof value !== 'string') throw new Error('must be a string');
        if (value === '') throw new Error('is required');
      },
    },
    'positive-integer': {
      validate: (value: unknown) => {
        if (!Number.isSafeInteger(value) || (value as number) < 1)
          throw new Error('must be a whole number above 0');
      },
    },
    'whole-number': {
      validate: (value: unknown) => {
        if (!Number.isSafeInteger(value) || (value as number) < 0)
          throw new Error('must be a whole number of 0 or more');
      },
    },
    duration: {
      validate: (value: unknown) => {
        requireTime(value);
        if (value > longestTimerMs) throw new Error('must be a time of at most 24 days');
      },
      coerce: (value: unknown) => parseUnits(value, durationUnits),
    },
    timeout: {
      validate: (value: unknown) => {
        requireTime(value);
        if (value === 0 || value > longestTimerMs)
          throw new Error('must be a time above 0, of at most 24 days');
      },
      coerce: (value: unknown) => parseUnits(value, durationUnits),
    },
    age: { validate: requireTime, coerce: (value: unknown) => parseUnits(value, durationUnits) },
    'byte-size': {
      validate: (value: unknown) => {
        if (!Number.isSafeInteger(value) || (value as number) < 1)
          throw new Error('must be a size, such as 64KiB, 32MiB or 1GiB');
      },
      coerce: (value: unknown) => parseUnits(value, byteUnits),
    },
    'byte-limit': {
      validate: (value: unknown) => {
        if (!Number.isSafeInteger(value) || (value as number) < 0)
          throw new Error('must be a size, such as 64KiB, 32MiB or 1GiB, or 0');
      },
      coerce: (value: unknown) => parseUnits(value, byteUnits),
    },
    'string-list': {
      validate: (value: unknown) => {
        if (!Array.isArray(value) || value.some((item) => typeof item !== 'string'))
          throw new Error('must be a list of strings');
      },
    },
    'filled-list': {
      validate: (value: unknown) => {
        if (!Array.isArray(value) || value.length === 0 || value.some((item) => typeof item !== 'string'))
          throw new Error('must be a list of at least one string');
      },
    },
    'type-list': { validate: (value: unknown) => requireSome(value, changeTypes) },
    'op-list': { validate: (value: unknown) => requireSome(value, changeOps) },
    'string-map': {
      validate: (value: unknown) => {
        const isMap = isPlainMap(value) && Object.values(value).every((item) => typeof item === 'string');
        if (!isMap || Object.keys(value).length === 0) throw new Error('must be a map of names to text');
      },
    },
    map: {
      validate: (value: unknown) => {
        if (!isPlainMap(value)) throw new Error('must be a map');
      },
    },
    'redis-url': { validate: requireRedisUrl },
    'listen-address': {
      validate: (value: unknown) => {
        const port = typeof value === 'string' ? /^(?:.+:)?(\d{1,5})$/.exec(value)?.[1] : undefined;
        if (value !== '' && !(Number(port) <= 65_535))
          throw new Error('must be host:port, such as 127.0.0.1:9464');
      },
    },
  });
};

let isRegistered = false;

/** A name that no change ever has would let nothing pass. */
const requireSome = (value: unknown, known: readonly string[]): void => {
  if (!Array.isArray(value)) throw new Error('must be a list of strings');
  const stranger: unknown = value.find((item) => !known.includes(item));
  if (stranger !== undefined)
    throw new Error(`must be some of ${known.join(', ')}${suggest(String(stranger), known)}`);
};

const requireRedisUrl = (value: unknown): void => {
  if (typeof value !== 'string') throw new Error('must be a string');
  if (value === '') throw new Error('is required');
  try {
    parseRedisUrl(value);
  } catch (error) {
    if (!isTailraceError(error)) throw error;
    throw new Error(
      `must be an address such as redis://host:6379, or rediss:// for TLS (${error.context['reason']})`,
    );
  }
};

/** Node.js takes longer ones for 1 ms. */
export const longestTimerMs = 2 ** 31 - 1;

function requireTime(value: unknown): asserts value is number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
    throw new Error('must be a time, such as 500ms, 30s or 5m');
}

const isPlainMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const byteUnits: Readonly<Record<string, number>> = {
  b: 1,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  kb: 1000,
  mb: 1e6,
  gb: 1e9,
};

/** The number that text with a unit stands for; anything else is left to the validation. */
const parseUnits = (value: unknown, units: Readonly<Record<string, number>>): unknown => {
  if (typeof value !== 'string') return value;
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(value.trim());
  const factor = match === null ? undefined : units[(match[2] ?? '').toLowerCase()];
  return match === null || factor === undefined ? value : Math.round(Number(match[1]) * factor);
};
