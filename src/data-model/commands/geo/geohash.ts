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

/** Codes from `low` up to, not including, `high`. */
export interface CodeRange {
  readonly low: number;
  readonly high: number;
}

/**
 * The codes, in order, of some cells that hold every place within `reach` meters north, south, east and west of the center.
 * The whole map when the area meets its edge.
 */
export const codesAround = (
  center: GeoPoint,
  reach: { readonly x: number; readonly y: number },
): readonly CodeRange[] => {
  const latitudeReach = degrees(reach.y / earthRadiusMeters) * margin;
  const nearestPole = Math.abs(center.latitude) + latitudeReach;
  if (nearestPole >= maxLatitude) return wholeMap;
  const longitudeReach = degrees(reach.x / earthRadiusMeters / Math.cos(radians(nearestPole))) * margin;
  const corner = (sign: number): GeoPoint => ({
    longitude: center.longitude + sign * longitudeReach,
    latitude: center.latitude + sign * latitudeReach,
  });
  const [low, high] = [corner(-1), corner(1)];
  if (!isOnMap(low) || !isOnMap(high)) return wholeMap;
  let west = cellOf(low.longitude, maxLongitude);
  let east = cellOf(high.longitude, maxLongitude);
  let south = cellOf(low.latitude, maxLatitude);
  let north = cellOf(high.latitude, maxLatitude);
  let size = 1;
  for (; (east - west + 1) * (north - south + 1) > mostCells; size *= 4) {
    west >>>= 1;
    east >>>= 1;
    south >>>= 1;
    north >>>= 1;
  }
  const codes: number[] = [];
  for (let row = south; row <= north; row++)
    for (let column = west; column <= east; column++) codes.push(interleave(row, column));
  return rangesOf(
    codes.sort((a, b) => a - b),
    size,
  );
};

/** Cells of one size, in order; those whose codes follow each other together. */
const rangesOf = (cells: readonly number[], size: number): CodeRange[] => {
  const ranges: CodeRange[] = [];
  for (let first = 0, next = 1; first < cells.length; first = next++) {
    while (next < cells.length && cells[next] === cells[next - 1] + 1) next++;
    ranges.push({ low: cells[first] * size, high: (cells[next - 1] + 1) * size });
  }
  return ranges;
};

const wholeMap: readonly CodeRange[] = [{ low: 0, high: 4 * cells * cells }];
/** More of them fit the area better, and take more seeks. */
const mostCells = 12;
const margin = 1.01;

const cellOf = (degrees: number, range: number): number =>
  Math.floor(((degrees + range) / (2 * range)) * cells);

const middleOf = (cell: number, range: number): number => {
  const low = -range + (cell / cells) * 2 * range;
  const high = -range + ((cell + 1) / cells) * 2 * range;
  return (low + high) / 2;
};

/** The lower halves of both are interleaved, then the upper ones: as many bits at once as whole numbers of 32 bits take. */
const interleave = (even: number, odd: number): number =>
  interleaveHalf(even >>> halfBits, odd >>> halfBits) * 4 ** halfBits +
  interleaveHalf(even & halfMask, odd & halfMask);

const deinterleave = (code: number): { readonly even: number; readonly odd: number } => {
  const upper = Math.floor(code / 4 ** halfBits);
  const lower = code % 4 ** halfBits;
  return {
    even: (everySecondBit(upper) << halfBits) | everySecondBit(lower),
    odd: (everySecondBit(upper >>> 1) << halfBits) | everySecondBit(lower >>> 1),
  };
};

const interleaveHalf = (even: number, odd: number): number => spreadBits(even) | (spreadBits(odd) << 1);

/** Moves bit n to bit 2 n, of up to 16 bits. */
const spreadBits = (bits: number): number => {
  let spread = (bits | (bits << 8)) & 0x00ff00ff;
  spread = (spread | (spread << 4)) & 0x0f0f0f0f;
  spread = (spread | (spread << 2)) & 0x33333333;
  return (spread | (spread << 1)) & 0x55555555;
};

/** Moves bit 2 n to bit n. */
const everySecondBit = (bits: number): number => {
  let gathered = bits & 0x55555555;
  gathered = (gathered | (gathered >>> 1)) & 0x33333333;
  gathered = (gathered | (gathered >>> 2)) & 0x0f0f0f0f;
  gathered = (gathered | (gathered >>> 4)) & 0x00ff00ff;
  return (gathered | (gathered >>> 8)) & 0xffff;
};

const halfBits = 14;
const halfMask = (1 << halfBits) - 1;

const radians = (value: number): number => value * (Math.PI / 180);
const degrees = (value: number): number => value / (Math.PI / 180);

const alphabet = '0123456789bcdefghjkmnpqrstuvwxyz';
