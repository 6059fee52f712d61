import { describe, expect, it } from 'vitest';
import { retentionRisk } from '../../src/cli/migration/log-retention.js';

const kvrocksDefaults = { ttlSeconds: 10_800, limitBytes: 16_384 * 1024 * 1024 };

describe('the retention of a log', () => {
  it('is enough where the snapshot takes less than half of the time that it is kept', () => {
    const figures = { ...kvrocksDefaults, writesPerSecond: 1_000, keys: 10_000_000, maxKeysPerSecond: 0 };
    expect(retentionRisk(figures)).toBeUndefined();
    expect(retentionRisk({ ...figures, keys: 0, ttlSeconds: 0, limitBytes: 0 })).toBeUndefined();
    expect(retentionRisk({ ...figures, ttlSeconds: 0, writesPerSecond: 0 })).toBeUndefined();
  });

  it('is told with its figures where it is too short', () => {
    const figures = {
      ttlSeconds: 60,
      limitBytes: 0,
      writesPerSecond: 500,
      keys: 1_000_000,
      maxKeysPerSecond: 10_000,
    };
    expect(retentionRisk(figures)).toBe(
      'its log is kept for about 60 s (60 s, 0 MB) at 500 writes/s, and reading 1000000 keys takes about 100 s',
    );
    const busy = { ...figures, ttlSeconds: 0, limitBytes: 100_000_000, writesPerSecond: 50_000 };
    expect(retentionRisk(busy)).toContain('kept for about 10 s');
  });
});
