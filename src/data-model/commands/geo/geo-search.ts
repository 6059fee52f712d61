import type { ScoredMember } from '../../encoding/zset-encoding.js';
import type { CommandContext } from '../command-context.js';
import { selectRange } from '../zsets/zset-range.js';
import type { ZsetValue } from '../zsets/zset-value.js';
import { type CodeRange, codesAround, decodePoint, distanceMeters, type GeoPoint } from './geohash.js';

/** A circle or an upright rectangle around a place; lengths in meters. */
export type GeoArea =
  | { readonly shape: 'circle'; readonly radius: number }
  | { readonly shape: 'box'; readonly width: number; readonly height: number };

export interface GeoMatch {
  readonly member: Buffer;
  readonly score: number;
  readonly point: GeoPoint;
  /** from the center */
  readonly meters: number;
}

export interface GeoSearch {
  readonly center: GeoPoint;
  readonly area: GeoArea;
  readonly order: 'asc' | 'desc' | 'none';
  /** 0 = all */
  readonly count: number;
  /** any `count` members rather than the nearest */
  readonly isAny: boolean;
}

/** The members inside the area. */
export const searchArea = (context: CommandContext, zset: ZsetValue, search: GeoSearch): GeoMatch[] => {
  const { center, area, count } = search;
  const reach =
    area.shape === 'circle' ? { x: area.radius, y: area.radius } : { x: area.width / 2, y: area.height / 2 };
  const matches: GeoMatch[] = [];
  for (const { member, score } of membersIn(context, zset, codesAround(center, reach))) {
    const point = decodePoint(score);
    const meters = distanceMeters(center, point);
    if (isInside(area, center, point, meters)) matches.push({ member, score, point, meters });
    if (search.isAny && matches.length === count) break;
  }
  const order = search.order === 'none' && count > 0 && !search.isAny ? 'asc' : search.order;
  if (order !== 'none') matches.sort((a, b) => (order === 'asc' ? a.meters - b.meters : b.meters - a.meters));
  return count > 0 ? matches.slice(0, count) : matches;
};

function* membersIn(
  context: CommandContext,
  zset: ZsetValue,
  codes: readonly CodeRange[],
): Generator<ScoredMember> {
  for (const { low, high } of codes) {
    const min = { score: low, isExclusive: false };
    const max = { score: high, isExclusive: true };
    yield* selectRange(context, zset, { by: 'score', min, max }, false);
  }
}

const isInside = (area: GeoArea, center: GeoPoint, point: GeoPoint, meters: number): boolean => {
  if (area.shape === 'circle') return meters <= area.radius;
  const northSouth = distanceMeters(
    { longitude: point.longitude, latitude: center.latitude },
    { longitude: point.longitude, latitude: point.latitude },
  );
  const eastWest = distanceMeters({ longitude: center.longitude, latitude: point.latitude }, point);
  return northSouth <= area.height / 2 && eastWest <= area.width / 2;
};
