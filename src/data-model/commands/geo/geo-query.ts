import { optionWord, parseClamped, parseDouble } from '../arguments.js';
import { ErrorReply, refusal } from '../reply.js';
import type { GeoArea, GeoSearch } from './geo-search.js';
import { metersPerUnit, parsePoint } from './geo-units.js';
import type { GeoPoint } from './geohash.js';

/** What a command of the GEOSEARCH and GEORADIUS family asks for, as far as its words were parsed. */
export interface GeoQuery {
  center: GeoPoint | undefined;
  centerMember: Buffer | undefined;
  area: GeoArea | undefined;
  /** meters in the unit that distances are answered in */
  unitMeters: number;
  order: GeoSearch['order'];
  count: number;
  isAny: boolean;
  hasCoordinates: boolean;
  hasDistance: boolean;
  hasHash: boolean;
  target: Buffer | undefined;
  storesDistance: boolean;
}

export const emptyQuery = (): GeoQuery => ({
  center: undefined,
  centerMember: undefined,
  area: undefined,
  unitMeters: 1,
  order: 'none',
  count: 0,
  isAny: false,
  hasCoordinates: false,
  hasDistance: false,
  hasHash: false,
  target: undefined,
  storesDistance: false,
});

/** Which options a form of the commands knows besides those that all of them share. */
export interface GeoForm {
  /** FROMMEMBER, FROMLONLAT, BYRADIUS and BYBOX. */
  readonly isSearch: boolean;
  /** STORE and STOREDIST, with a target behind them. */
  readonly mayStore: boolean;
  /** STOREDIST by itself; then nothing is answered that WITH… could add to. */
  readonly storesAlways: boolean;
}

/** Parses the options from `args[from]` on. */
export const parseOptions = (
  args: readonly Buffer[],
  from: number,
  query: GeoQuery,
  form: GeoForm,
): ErrorReply | undefined => {
  for (let at = from; at < args.length; ) {
    const behind = parseOption(args, at, query, form);
    if (behind instanceof ErrorReply) return behind;
    at = behind;
  }
  if (query.isAny && query.count === 0) return new ErrorReply('ERR the ANY argument requires COUNT argument');
  if (query.target === undefined || !(query.hasCoordinates || query.hasDistance || query.hasHash))
    return undefined;
  return new ErrorReply(
    `ERR STORE option in ${String(args[0]).toUpperCase()} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`,
  );
};

/** Parses the option at `args[at]`; the index behind it. */
const parseOption = (
  args: readonly Buffer[],
  at: number,
  query: GeoQuery,
  form: GeoForm,
): number | ErrorReply => {
  const word = optionWord(args[at]);
  if (isFlag(word, query, form)) return at + 1;
  const hasValue = at + 1 < args.length;
  if (word === 'COUNT' && hasValue) {
    const count = parseClamped(args[at + 1]);
    if (count === undefined) return refusal.notInteger;
    if (count <= 0) return new ErrorReply('ERR COUNT must be > 0');
    query.count = count;
    return at + 2;
  }
  if ((word === 'STORE' || word === 'STOREDIST') && form.mayStore && hasValue) {
    query.target = args[at + 1];
    query.storesDistance = word === 'STOREDIST';
    return at + 2;
  }
  return form.isSearch ? parseSearchOption(word, args, at, query) : refusal.syntax;
};

/** Sets what is said by a single word; false for other words, and for those that the form does not know. */
const isFlag = (word: string, query: GeoQuery, { storesAlways }: GeoForm): boolean => {
  if (word === 'ASC') query.order = 'asc';
  else if (word === 'DESC') query.order = 'desc';
  else if (word === 'ANY') query.isAny = true;
  else if (word === 'STOREDIST' && storesAlways) query.storesDistance = true;
  else if (word === 'WITHCOORD' && !storesAlways) query.hasCoordinates = true;
  else if (word === 'WITHDIST' && !storesAlways) query.hasDistance = true;
  else if (word === 'WITHHASH' && !storesAlways) query.hasHash = true;
  else return false;
  return true;
};

/** Where GEOSEARCH looks: around what, and how far. Each is said once. */
const parseSearchOption = (
  word: string,
  args: readonly Buffer[],
  at: number,
  query: GeoQuery,
): number | ErrorReply => {
  const hasCenter = query.center !== undefined || query.centerMember !== undefined;
  if (word === 'FROMMEMBER' && at + 1 < args.length) {
    if (hasCenter) return refusal.syntax;
    query.centerMember = args[at + 1];
    return at + 2;
  }
  if (word === 'FROMLONLAT' && at + 2 < args.length) {
    if (hasCenter) return refusal.syntax;
    const point = parsePoint(args[at + 1], args[at + 2]);
    if (point instanceof ErrorReply) return point;
    query.center = point;
    return at + 3;
  }
  if ((word !== 'BYRADIUS' && word !== 'BYBOX') || query.area !== undefined) return refusal.syntax;
  const unitAt = word === 'BYBOX' ? at + 3 : at + 2;
  return parseArea(args.slice(at + 1, unitAt), args[unitAt], query) ?? unitAt + 1;
};

/** Sets the area and the unit; one length is a radius, two are width and height. */
export const parseArea = (
  lengths: readonly Buffer[],
  unit: Buffer | undefined,
  query: GeoQuery,
): ErrorReply | undefined => {
  if (unit === undefined) return refusal.syntax;
  const unitMeters = metersPerUnit(unit);
  if (unitMeters === undefined) return badUnit;
  query.unitMeters = unitMeters;
  const first = parseLength(lengths[0], unitMeters, lengths.length === 2 ? 'width' : 'radius');
  if (first instanceof ErrorReply) return first;
  if (lengths.length === 1) {
    query.area = { shape: 'circle', radius: first };
    return undefined;
  }
  const height = parseLength(lengths[1], unitMeters, 'height');
  if (height instanceof ErrorReply) return height;
  query.area = { shape: 'box', width: first, height };
  return undefined;
};

/** Reads a length and its unit at `args[at]`, `args[at + 1]`, in meters. */
const parseLength = (amount: Buffer | undefined, unitMeters: number, what: string): number | ErrorReply => {
  const value = amount === undefined ? undefined : parseDouble(amount);
  if (value === undefined) return new ErrorReply(`ERR need numeric ${what}`);
  if (value >= 0) return value * unitMeters;
  return new ErrorReply(`ERR ${what === 'radius' ? what : 'height or width'} cannot be negative`);
};

const badUnit = new ErrorReply('ERR unsupported unit provided. please use M, KM, FT, MI');
