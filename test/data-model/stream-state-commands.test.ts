import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { streamBeginCommands, streamStateCommands } from '../../src/data-model/index.js';
import { ReplyError, RespConnection } from '../../src/resp/index.js';
import { type RedisService, startRedis } from '../services/index.js';

describe('the commands that give a stream its last id', () => {
  let redis: RedisService;
  let connection: RespConnection;
  beforeAll(async () => {
    redis = await startRedis();
    connection = await RespConnection.open({ host: '127.0.0.1', port: redis.port });
  });
  afterAll(async () => {
    connection.close();
    await redis.stop();
  });

  it.each([
    ['above', '9-1', '9-0'],
    ['at', '9-0', '9-0'],
    ['below', '8-18446744073709551615', '9-0'],
  ])('are taken by Redis when it is %s the newest deleted one', async (_where, lastId, maxDeletedId) => {
    await connection.call('FLUSHALL');
    const state = { lastId, entriesAdded: '7', maxDeletedId };
    const commands = [
      ...streamBeginCommands(Buffer.from('s'), state, false),
      ['XADD', 's', '1-1', 'f', 'v'],
      ...streamStateCommands(Buffer.from('s'), state),
    ];
    for (const command of commands) expect(await connection.call(...command)).not.toBeInstanceOf(ReplyError);
    const info = ((await connection.call('XINFO', 'STREAM', 's')) as unknown[]).map(String);
    const fact = (name: string): string | undefined => info[info.indexOf(name) + 1];
    expect([fact('last-generated-id'), fact('max-deleted-entry-id'), fact('entries-added')]).toEqual([
      ...[lastId, maxDeletedId, '7'],
    ]);
  });
});
