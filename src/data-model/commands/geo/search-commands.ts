import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, twoKeys, writeCommand } from '../data-command.js';
import { ErrorReply, type Reply } from '../reply.js';
import { findZset, scoreOf, storeZset } from '../zsets/zset-value.js';
import { emptyQuery, type GeoForm, type GeoQuery, parseArea, parseOptions } from './geo-query.js';
import { type GeoMatch, searchArea } from './geo-search.js';
import { coordinateReply, distanceText, parsePoint } from './geo-units.js';
import { decodePoint } from './geohash.js';

const run = (context: CommandContext, key: Buffer, query: GeoQuery): Reply => {
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

const matchReply = (match: GeoMatch, query: GeoQuery): Reply => {
  if (!query.hasCoordinates && !query.hasDistance && !query.hasHash) return match.member;
  const parts: Reply[] = [match.member];
  if (query.hasDistance) parts.push(distanceText(match.meters / query.unitMeters));
  if (query.hasHash) parts.push(match.score);
  if (query.hasCoordinates) parts.push(coordinateReply(match.point));
  return parts;
};

const plainForm: GeoForm = { isSearch: false, mayStore: true, storesAlways: false };

/** `GEORADIUS key lon lat radius unit …` */
const parseRadius = (args: readonly Buffer[], mayStore: boolean): GeoQuery | ErrorReply => {
  const query = emptyQuery();
  const center = parsePoint(args[2], args[3]);
  if (center instanceof ErrorReply) return center;
  query.center = center;
  return (
    parseArea([args[4]], args[5], query) ?? parseOptions(args, 6, query, { ...plainForm, mayStore }) ?? query
  );
};

/** `GEORADIUSBYMEMBER key member radius unit …` */
const parseRadiusByMember = (args: readonly Buffer[], mayStore: boolean): GeoQuery | ErrorReply => {
  const query = emptyQuery();
  query.centerMember = args[2];
  return (
    parseArea([args[3]], args[4], query) ?? parseOptions(args, 5, query, { ...plainForm, mayStore }) ?? query
  );
};

const radius =
  (parse: typeof parseRadius, mayStore: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const query = parse(args, mayStore);
    return query instanceof ErrorReply ? query : run(context, args[1], query);
  };

/** The key, and the target if there is one. */
const radiusKeys =
  (parse: typeof parseRadius) =>
  (args: readonly Buffer[]): Buffer[] => {
    const query = parse(args, true);
    const target = query instanceof ErrorReply ? undefined : query.target;
    return target === undefined ? [args[1]] : [args[1], target];
  };

/** `GEOSEARCH key FROMMEMBER m|FROMLONLAT lon lat BYRADIUS r u|BYBOX w h u …`; the STORE form has a target first. */
const geosearch =
  (stores: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const query = emptyQuery();
    if (stores) query.target = args[1];
    const form: GeoForm = { isSearch: true, mayStore: false, storesAlways: stores };
    const refused = parseOptions(args, stores ? 3 : 2, query, form);
    if (refused !== undefined) return refused;
    const command = stores ? 'geosearchstore' : 'geosearch';
    if (query.center === undefined && query.centerMember === undefined)
      return new ErrorReply(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${command}`);
    if (query.area === undefined)
      return new ErrorReply(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${command}`);
    return run(context, args[stores ? 2 : 1], query);
  };

export const geoSearchCommands: readonly DataCommand[] = [
  readCommand('geosearch', -7, oneKey, geosearch(false)),
  writeCommand('geosearchstore', -8, twoKeys, geosearch(true)),
  { ...writeCommand('georadius', -6, oneKey, radius(parseRadius, true)), keysOf: radiusKeys(parseRadius) },
  readCommand('georadius_ro', -6, oneKey, radius(parseRadius, false)),
  {
    ...writeCommand('georadiusbymember', -5, oneKey, radius(parseRadiusByMember, true)),
    keysOf: radiusKeys(parseRadiusByMember),
  },
  readCommand('georadiusbymember_ro', -5, oneKey, radius(parseRadiusByMember, false)),
];
