import { optionWord, parseClamped, parseDouble } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, twoKeys, writeCommand } from '../data-command.js';
import { ErrorReply, type Reply, refusal } from '../reply.js';
import { findZset, scoreOf, storeZset } from '../zsets/zset-value.js';
import { type GeoArea, type GeoMatch, type GeoSearch, searchArea } from './geo-search.js';
import { coordinateReply, distanceText, metersPerUnit, parsePoint } from './geo-units.js';
import { decodePoint, type GeoPoint } from './geohash.js';

interface Query {
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

const emptyQuery = (): Query => ({
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

const badUnit = new ErrorReply('ERR unsupported unit provided. please use M, KM, FT, MI');

/** Reads a length and its unit at `args[at]`, `args[at + 1]`, in meters. */
const parseLength = (amount: Buffer | undefined, unitMeters: number, what: string): number | ErrorReply => {
  const value = amount === undefined ? undefined : parseDouble(amount);
  if (value === undefined) return new ErrorReply(`ERR need numeric ${what}`);
  if (value >= 0) return value * unitMeters;
  return new ErrorReply(`ERR ${what === 'radius' ? what : 'height or width'} cannot be negative`);
};

/** Parses the options that all forms share from `args[from]` on; `isSearch`: those of GEOSEARCH as well. */
const parseOptions = (
  args: readonly Buffer[],
  from: number,
  query: Query,
  form: { readonly isSearch: boolean; readonly mayStore: boolean; readonly storesAlways: boolean },
): ErrorReply | undefined => {
  for (let i = from; i < args.length; i++) {
    const word = optionWord(args[i] as Buffer);
    if (word === 'WITHCOORD' && !form.storesAlways) query.hasCoordinates = true;
    else if (word === 'WITHDIST' && !form.storesAlways) query.hasDistance = true;
    else if (word === 'WITHHASH' && !form.storesAlways) query.hasHash = true;
    else if (word === 'ASC') query.order = 'asc';
    else if (word === 'DESC') query.order = 'desc';
    else if (word === 'ANY' && query.count > 0) query.isAny = true;
    else if (word === 'STOREDIST' && form.storesAlways) query.storesDistance = true;
    else if (word === 'COUNT' && i + 1 < args.length) {
      const count = parseClamped(args[++i] as Buffer);
      if (count === undefined) return refusal.notInteger;
      if (count <= 0) return new ErrorReply('ERR COUNT must be > 0');
      query.count = count;
    } else if ((word === 'STORE' || word === 'STOREDIST') && form.mayStore && i + 1 < args.length) {
      query.target = args[++i];
      query.storesDistance = word === 'STOREDIST';
    } else if (form.isSearch && word === 'FROMMEMBER' && i + 1 < args.length) {
      if (query.center !== undefined || query.centerMember !== undefined) return refusal.syntax;
      query.centerMember = args[++i];
    } else if (form.isSearch && word === 'FROMLONLAT' && i + 2 < args.length) {
      if (query.center !== undefined || query.centerMember !== undefined) return refusal.syntax;
      const point = parsePoint(args[++i], args[++i]);
      if (point instanceof ErrorReply) return point;
      query.center = point;
    } else if (form.isSearch && (word === 'BYRADIUS' || word === 'BYBOX') && query.area === undefined) {
      const unitAt = word === 'BYBOX' ? i + 3 : i + 2;
      const area = parseArea(args.slice(i + 1, unitAt), args[unitAt], query);
      if (area instanceof ErrorReply) return area;
      i = unitAt;
    } else return refusal.syntax;
  }
  if (query.target === undefined || !(query.hasCoordinates || query.hasDistance || query.hasHash))
    return undefined;
  return new ErrorReply(
    `ERR STORE option in ${String(args[0]).toUpperCase()} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`,
  );
};

/** Sets the area and the unit; one length is a radius, two are width and height. */
const parseArea = (
  lengths: readonly Buffer[],
  unit: Buffer | undefined,
  query: Query,
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

const run = (context: CommandContext, key: Buffer, query: Query): Reply => {
  const zset = findZset(context, key);
  if (zset instanceof ErrorReply) return zset;
  let { center } = query;
  const { area, target, unitMeters } = query;
  if (zset !== undefined && query.centerMember !== undefined) {
    const score = scoreOf(context, zset, query.centerMember);
    if (score === undefined) return new ErrorReply('ERR could not decode requested zset member');
    center = decodePoint(score);
  }
  const { order, count, isAny } = query;
  const matches =
    zset === undefined || center === undefined || area === undefined
      ? []
      : searchArea(context, zset, { center, area, order, count, isAny });
  if (target === undefined) return matches.map((match) => matchReply(match, query));
  storeZset(
    context,
    target,
    matches.map(({ member, score, meters }) => ({
      member,
      score: query.storesDistance ? meters / unitMeters : score,
    })),
  );
  return matches.length;
};

const matchReply = (match: GeoMatch, query: Query): Reply => {
  if (!query.hasCoordinates && !query.hasDistance && !query.hasHash) return match.member;
  const parts: Reply[] = [match.member];
  if (query.hasDistance) parts.push(distanceText(match.meters / query.unitMeters));
  if (query.hasHash) parts.push(match.score);
  if (query.hasCoordinates) parts.push(coordinateReply(match.point));
  return parts;
};

const plainForm = { isSearch: false, mayStore: true, storesAlways: false };

/** `GEORADIUS key lon lat radius unit …` */
const georadius =
  (mayStore: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const query = emptyQuery();
    const center = parsePoint(args[2], args[3]);
    if (center instanceof ErrorReply) return center;
    query.center = center;
    const refused =
      parseArea([args[4] as Buffer], args[5], query) ??
      parseOptions(args, 6, query, { ...plainForm, mayStore });
    return refused ?? run(context, args[1] as Buffer, query);
  };

/** `GEORADIUSBYMEMBER key member radius unit …` */
const georadiusByMember =
  (mayStore: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const query = emptyQuery();
    query.centerMember = args[2];
    const refused =
      parseArea([args[3] as Buffer], args[4], query) ??
      parseOptions(args, 5, query, { ...plainForm, mayStore });
    return refused ?? run(context, args[1] as Buffer, query);
  };

/** `GEOSEARCH key FROMMEMBER m|FROMLONLAT lon lat BYRADIUS r u|BYBOX w h u …`; the STORE form has a target first. */
const geosearch =
  (stores: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const query = emptyQuery();
    if (stores) query.target = args[1];
    const form = { isSearch: true, mayStore: false, storesAlways: stores };
    const refused = parseOptions(args, stores ? 3 : 2, query, form);
    if (refused !== undefined) return refused;
    const command = stores ? 'geosearchstore' : 'geosearch';
    if (query.center === undefined && query.centerMember === undefined)
      return new ErrorReply(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${command}`);
    if (query.area === undefined)
      return new ErrorReply(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${command}`);
    return run(context, args[stores ? 2 : 1] as Buffer, query);
  };

export const geoSearchCommands: readonly DataCommand[] = [
  readCommand('geosearch', -7, oneKey, geosearch(false)),
  writeCommand('geosearchstore', -8, twoKeys, geosearch(true)),
  writeCommand('georadius', -6, oneKey, georadius(true)),
  readCommand('georadius_ro', -6, oneKey, georadius(false)),
  writeCommand('georadiusbymember', -5, oneKey, georadiusByMember(true)),
  readCommand('georadiusbymember_ro', -5, oneKey, georadiusByMember(false)),
];
