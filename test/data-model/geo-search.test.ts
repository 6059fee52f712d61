import { describe, expect, it } from 'vitest';
import { codesAround, distanceMeters, encodePoint } from '../../src/data-model/commands/geo/geohash.js';
import { CommandClient } from '../support/command-client.js';
import { SeededRandom } from '../support/seeded-random.js';

describe('a search around a place', () => {
  const random = SeededRandom.fromEnvironment('geo-search');
  const between = (low: number, high: number): number => low + random.next() * (high - low);

  it('looks at cells that hold all that lies within reach, and little more', () => {
    for (let round = 0; round < 100; round++) {
      const center = { longitude: between(-150, 150), latitude: between(-70, 70) };
      const meters = 10 ** between(0, 5.9);
      const codes = codesAround(center, { x: meters, y: meters });
      for (let i = 1; i < codes.length; i++) expect(codes[i].low).toBeGreaterThan(codes[i - 1].high);
      const degrees = (meters / 6_372_797) * (180 / Math.PI);
      for (let i = 0; i < 40; i++) {
        const point = {
          latitude: center.latitude + between(-degrees, degrees),
          longitude:
            center.longitude + between(-degrees, degrees) / Math.cos((center.latitude * Math.PI) / 180),
        };
        if (distanceMeters(center, point) > meters) continue;
        const code = encodePoint(point);
        expect(codes.some(({ low, high }) => code >= low && code < high)).toBe(true);
      }
      // Of the whole map, all cells together are not much more than the square around the circle, wherever it lies.
      const share = codes.reduce((total, { low, high }) => total + high - low, 0) / 2 ** 52;
      const stretch = 1 / Math.cos(((Math.abs(center.latitude) + degrees) * Math.PI) / 180);
      const square = ((degrees * 2) / 360) * stretch * ((degrees * 2) / 170);
      expect(share).toBeLessThan(square * 8 + 2 ** -48);
    }
  });

  it('finds across the meridian and the equator what a look at every place finds', () => {
    const client = new CommandClient();
    const places = Array.from({ length: 600 }, (_, i) => ({
      name: `p${i}`,
      point: { longitude: between(-5, 5), latitude: between(-5, 5) },
    }));
    for (const { name, point } of places)
      client.run('GEOADD', 'g', `${point.longitude}`, `${point.latitude}`, name);
    for (let round = 0; round < 15; round++) {
      const center = { longitude: between(-1, 1), latitude: between(-1, 1) };
      const kilometers = random.pick([3, 30, 300]);
      const from = ['FROMLONLAT', `${center.longitude}`, `${center.latitude}`];
      const around = [...from, 'BYRADIUS', `${kilometers}`, 'km'];
      const found = client.run('GEOSEARCH', 'g', ...around);
      const distances = new Map(
        places.map(({ name, point }) => [name, distanceMeters(center, point) / 1000] as const),
      );
      const names = Array.isArray(found) ? found.map(String) : [];
      const near = places.filter(({ name }) => (distances.get(name) ?? 0) < kilometers - 0.01);
      for (const { name } of near) expect(names).toContain(name);
      for (const name of names) expect(distances.get(name)).toBeLessThan(kilometers + 0.01);
      expect(new Set(names).size).toBe(names.length);
      const any = client.run('GEOSEARCH', 'g', ...around, 'COUNT', '3', 'ANY');
      expect(Array.isArray(any) && any.length).toBe(Math.min(3, names.length));
    }
  });
});
