import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TailraceError } from '../../src/errors/index.js';
import { describeHolder, ProcessLock } from '../../src/files/index.js';

describe('the lock of a process', () => {
  it('says that this process itself holds it, also before that is written down', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tailrace-lock-'));
    const take = () =>
      ProcessLock.acquire(
        join(directory, 'LOCK'),
        (holder) => new TailraceError('STORE_LOCKED', `in use by ${describeHolder(holder)}`),
      );
    const [first, second] = await Promise.allSettled([take(), take()]);
    expect(second).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringContaining('this process itself') },
    });
    if (first.status === 'fulfilled') first.value.release();
    (await take()).release();
    rmSync(directory, { recursive: true });
  });
});
