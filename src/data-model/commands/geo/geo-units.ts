import { fixedDoubleText, optionWord, parseDouble } from '../arguments.js';
import { doubleReply, ErrorReply, type Reply, refusal } from '../reply.js';
import { type GeoPoint, isOnMap } from './geohash.js';

/** Meters in M, KM, FT, MI; undefined for another word. */
export const metersPerUnit = (word: Buffer): number | undefined => {
  switch (optionWord(word)) {
    case 'M':
      return 1;
    case 'KM':
      return 1000;
    case 'FT':
      return 0.3048;
    case 'MI':
      return 1609.34;
    default:
      return undefined;
  }
};

export const parsePoint = (
  longitudeWord: Buffer | undefined,
  latitudeWord: Buffer | undefined,
): GeoPoint | ErrorReply => {
  const longitude = longitudeWord === undefined ? undefined : parseDouble(longitudeWord);
  const latitude = latitudeWord === undefined ? undefined : parseDouble(latitudeWord);
  if (longitude === undefined || latitude === undefined) return refusal.notFloat;
  if (isOnMap({ longitude, latitude })) return { longitude, latitude };
  const pair = [longitude, latitude].map(fixedDoubleText).join(',');
  return new ErrorReply(`ERR invalid longitude,latitude pair ${pair}`);
};

/** Distances have four decimals. */
export const distanceText = (distance: number): Buffer => Buffer.from(distance.toFixed(4), 'latin1');

/** Longitude and latitude with up to 17 decimals. */
export const coordinateReply = ({ longitude, latitude }: GeoPoint): Reply => [
  doubleReply(longitude, coordinateText(longitude)),
  doubleReply(latitude, coordinateText(latitude)),
];

const coordinateText = (degrees: number): string => degrees.toFixed(17).replace(/\.?0+$/, '');
