/** Degrees. */
export interface GeoPoint {
  readonly longitude: number;
  readonly latitude: number;
}

/**
 * Places as 52-bit numbers: 26 bits of latitude and longitude each, interleaved, latitude in the even bits. They
 * are the scores of a sorted set; a double holds them exactly. The last degree (180 east, the northern end) lies in
 * the cell behind the last one, so that its numbers have a 27th bit: as in Redis.
 */
const bitsEach = 26;
const cells = 2 ** bitsEach;
const maxLongitude = 180;
/** Where the square of the Mercator projection ends. */
const maxLatitude = 85.05112878;

const earthRadiusMeters = 6372797.560856;

export const isOnMap = ({ longitude, latitude }: GeoPoint): boolean =>
  Math.abs(longitude) <= maxLongitude && Math.abs(latitude) <= maxLatitude;

export const encodePoint = ({ longitude, latitude }: GeoPoint, latitudeRange = maxLatitude): number =>
  interleave(cellOf(latitude, latitudeRange), cellOf(longitude, maxLongitude));

/** The middle of the cell that the number names. */
export const decodePoint = (code: number): GeoPoint => {
  const { even, odd } = deinterleave(code);
  return {
    longitude: Math.min(maxLongitude, middleOf(odd, maxLongitude)),
    latitude: Math.max(-maxLatitude, Math.min(maxLatitude, middleOf(even, maxLatitude))),
  };
};

/** Meters between two places on a sphere (haversine). */
export const distanceMeters = (a: GeoPoint, b: GeoPoint): number => {
  const latitudeA = radians(a.latitude);
  const latitudeB = radians(b.latitude);
  const u = Math.sin((latitudeB - latitudeA) / 2);
  const v = Math.sin((radians(b.longitude) - radians(a.longitude)) / 2);
  return (
    2 * earthRadiusMeters * Math.asin(Math.sqrt(u * u + Math.cos(latitudeA) * Math.cos(latitudeB) * v * v))
  );
};

/** The usual geohash text of 11 letters, over latitudes of ±90°. */
export const geohashText = (code: number): string => {
  const bits = BigInt(encodePoint(decodePoint(code), 90));
  let text = '';
  for (let i = 0; i < 10; i++) text += alphabet[Number((bits >> BigInt(47 - i * 5)) & 31n)];
  return `${text}0`;
};

/**
 * Codes from `low` up to, not including, `high` that hold every place within `reach` meters north, south, east
 * and west of the center: the smallest cell around that area. The whole map when the area meets its edge.
 */
export const codesAround = (
  center: GeoPoint,
  reach: { readonly x: number; readonly y: number },
): { readonly low: number; readonly high: number } => {
  const all = { low: 0, high: 4 * cells * cells };
  const latitudeReach = degrees(reach.y / earthRadiusMeters) * margin;
  const nearestPole = Math.abs(center.latitude) + latitudeReach;
  if (nearestPole >= maxLatitude) return all;
  const longitudeReach = degrees(reach.x / earthRadiusMeters / Math.cos(radians(nearestPole))) * margin;
  const corner = (sign: number): GeoPoint => ({
    longitude: center.longitude + sign * longitudeReach,
    latitude: center.latitude + sign * latitudeReach,
  });
  if (!isOnMap(corner(-1)) || !isOnMap(corner(1))) return all;
  let size = 1;
  let first = encodePoint(corner(-1));
  let last = encodePoint(corner(1));
  while (first !== last) {
    first = Math.floor(first / 4);
    last = Math.floor(last / 4);
    size *= 4;
  }
  return { low: first * size, high: (first + 1) * size };
};

const margin = 1.01;

const cellOf = (degrees: number, range: number): number =>
  Math.floor(((degrees + range) / (2 * range)) * cells);

const middleOf = (cell: number, range: number): number => {
  const low = -range + (cell / cells) * 2 * range;
  const high = -range + ((cell + 1) / cells) * 2 * range;
  return (low + high) / 2;
};

const interleave = (even: number, odd: number): number => {
  let code = 0;
  for (let bit = bitsEach; bit >= 0; bit--) code = code * 4 + ((odd >>> bit) & 1) * 2 + ((even >>> bit) & 1);
  return code;
};

const deinterleave = (code: number): { readonly even: number; readonly odd: number } => {
  let even = 0;
  let odd = 0;
  let rest = code;
  for (let bit = 0; bit <= bitsEach; bit++) {
    const pair = rest % 4;
    even += (pair & 1) * 2 ** bit;
    odd += (pair >> 1) * 2 ** bit;
    rest = Math.floor(rest / 4);
  }
  return { even, odd };
};

const radians = (value: number): number => value * (Math.PI / 180);
const degrees = (value: number): number => value / (Math.PI / 180);

const alphabet = '0123456789bcdefghjkmnpqrstuvwxyz';
