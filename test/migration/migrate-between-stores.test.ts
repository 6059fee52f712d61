import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dataStateOf } from '../support/data-state.js';
import { MigrationEnds, reportIn } from '../support/migration-ends.js';
import { openKvrocks, type PosingKvrocks } from '../support/older-kvrocks.js';

let ends: MigrationEnds;
let other: MigrationEnds;
let kvrocks: PosingKvrocks;
beforeAll(async () => {
  [ends, other] = await Promise.all([
    MigrationEnds.open('between-stores', 'secret'),
    MigrationEnds.open('between-stores-other', 'secret'),
  ]);
  kvrocks = await openKvrocks(ends.server.port);
});
afterAll(async () => {
  await kvrocks[Symbol.asyncDispose]();
  await ends[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await ends.reset();
  await ends.source.flushall();
  await other.source.flushall();
});

const kvrocksUrl = (): string => kvrocks.url.replace('//', '//:secret@');

describe('a Kvrocks, copied over the network to another store of its types', () => {
  it('keeps JSON documents and sorted ints what they are, in the snapshot and behind it', async () => {
    const { source } = ends;
    await source.call('JSON.SET', 'json', '$', '{"a":[1,2]}');
    await source.call('SIADD', 'sorted', '1', '9007199254740995', '7');
    await source.setbit('bits', 1000, 1);
    await source.hset('hash', 'f', 'v');
    await source.call('JSON.SET', 'expiring', '$', '1');
    await source.pexpireat('expiring', 4_000_000_000_000);
    const migrate = () => ends.runBetween(kvrocksUrl(), other.sourceUrl, 'migrate');
    const first = await migrate();
    expect(first.status, first.stderr).toBe(0);
    await source.call('SIREM', 'sorted', '7');
    await source.call('SIADD', 'sorted', '8');
    await source.call('JSON.SET', 'json', '$.a', '3');
    await source.call('JSON.SET', 'hash', '$', '4').catch(() => undefined); // a key of another type stays
    const second = await migrate();
    expect(second.status, second.stderr).toBe(0);
    expect(await other.source.type('json')).toBe('ReJSON-RL');
    expect(await other.source.type('sorted')).toBe('sortedint');
    expect(await dataStateOf(other.sourceUrl)).toEqual(await dataStateOf(ends.sourceUrl));

    await other.source.call('SIADD', 'sorted', '99');
    await other.source.call('JSON.SET', 'json', '$.a', '5');
    const words = ['--settle', '100', '--repair', '--json'];
    const repaired = await ends.runBetween(kvrocksUrl(), other.sourceUrl, 'verify', ...words);
    expect(reportIn(repaired.stdout)).toMatchObject({ differences: 2, repaired: 2 });
    expect(await dataStateOf(other.sourceUrl)).toEqual(await dataStateOf(ends.sourceUrl));
  });

  it('keeps bitmaps what they are, to the last zero byte, in the snapshot and behind it', async () => {
    const { source } = ends;
    // More than GET tells of a bitmap.
    const farBit = 8 * (16 * 1024 * 1024 + 100_000);
    const write = async (round: number): Promise<void> => {
      await source.setbit('one', 1000 + round, 1);
      await source.setbit('ends in zeros', 5, 1);
      await source.setbit('ends in zeros', 9000 + 8 * round, 0);
      await source.setbit('all zero', 77 + 8 * round, 0);
      await source.call('BITFIELD', 'dense', ...denseWords(3000, round));
      await source.setbit('sparse', farBit, 1);
      await source.setbit('sparse', 3 + round, 1);
      await source.setbit('sparse', farBit + 9000, 0);
      await source.setbit('expiring', 8 * 5000, 1);
      await source.pexpireat('expiring', 4_000_000_000_000 + round);
      await source.set('string', 'abc');
      await source.setbit('string', 30 + round, 1);
      await source.pfadd('counted', ...Array.from({ length: 3000 }, (_, at) => `${round}:${at}`));
    };
    const requireSame = async (): Promise<void> => {
      const names = ['one', 'ends in zeros', 'all zero', 'dense', 'expiring', 'string'];
      for (const name of names) {
        expect(await other.source.type(name), name).toBe(await source.type(name));
        expect(await other.source.getBuffer(name), name).toEqual(await source.getBuffer(name));
        expect(await other.source.pexpiretime(name), name).toBe(await source.pexpiretime(name));
      }
      expect(await other.source.type('sparse')).toBe('bitmap');
      expect(await other.source.bitcount('sparse')).toBe(await source.bitcount('sparse'));
      expect(await other.source.bitpos('sparse', 1, 1)).toBe(farBit);
    };
    const migrate = () => ends.runBetween(kvrocksUrl(), other.sourceUrl, 'migrate', '--skip-unsupported');
    await write(0);
    await source.del('counted');
    const first = await migrate();
    expect(first.status, first.stderr).toBe(0);
    await requireSame();
    await write(1);
    const second = await migrate();
    expect(second.status, second.stderr).toBe(0);
    await requireSame();
    // Made behind the snapshot, so the log tells it.
    expect(await other.source.type('counted')).toBe('hyperloglog');
    expect(await other.source.pfcount('counted')).toBe(await source.pfcount('counted'));
  });

  it('says which key it cannot read, and leaves it out when told to', async () => {
    await ends.source.call('BF.ADD', 'bloom', 'member');
    await ends.source.set('string', 'x');
    const refused = await ends.runBetween(kvrocksUrl(), other.sourceUrl, 'migrate');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/the key "bloom" cannot be copied: a MBbloom-- cannot be read/);
    expect(refused.stderr).toContain('(DECODE_UNSUPPORTED)');
    await other.source.flushall();
    await ends.reset();
    const skipped = await ends.runBetween(kvrocksUrl(), other.sourceUrl, 'migrate', '--skip-unsupported');
    expect(skipped.status, skipped.stderr).toBe(0);
    expect(skipped.stderr).toContain('1 left out');
    expect(await other.source.exists('bloom', 'string')).toBe(1);
  });
});

/** So many bytes, none of them zero. */
const denseWords = (bytes: number, round: number): string[] =>
  Array.from({ length: bytes }, (_, at) => ['SET', 'u8', `#${at}`, `${1 + ((at * 7 + round) % 255)}`]).flat();

describe('two tailraces with namespaces', () => {
  it('are compared namespace by namespace, and Bloom filters by their records', async () => {
    const clients: Redis[] = [];
    for (const end of [ends, other])
      for (const name of ['orders', 'carts']) {
        await end.source.call('NAMESPACE', 'ADD', name, `token-${name}`);
        clients.push(new Redis(end.server.port, { password: `token-${name}` }));
      }
    const [orders, carts, theirOrders, theirCarts] = clients;
    for (const client of [ends.source, orders, carts]) {
      await client.rpush('list', 'a', 'b');
      await client.call('BF.RESERVE', 'bloom', '0.01', '5000');
      await client.call('BF.ADD', 'bloom', 'member');
    }
    const migrate = await ends.runBetween(ends.sourceUrl, other.sourceUrl, 'migrate', '--all-namespaces');
    expect(migrate.status, migrate.stderr).toBe(0);
    const verify = (...words: readonly string[]) =>
      ends.runBetween(
        ends.sourceUrl,
        other.sourceUrl,
        'verify',
        '--all-namespaces',
        '--settle',
        '100',
        ...words,
      );
    await other.source.set('tailrace:a pipeline:position', '7 1 2');
    const same = await verify('--json');
    expect(same.status, same.stdout + same.stderr).toBe(0);
    expect(reportIn(same.stdout)).toMatchObject({ sourceKeys: 6, differences: 0, unsupported: 0 });

    await theirOrders.call('BF.ADD', 'bloom', 'another');
    await theirCarts.set('extra', 'x');
    await theirCarts.rpush('list', 'c');
    await other.source.del('bloom');
    const different = await verify('--json');
    expect(different.status).toBe(3);
    const { named } = reportIn(different.stdout);
    expect(named.map(({ ns, key, kind }) => `${ns} ${key} ${kind}`).sort()).toEqual([
      'carts extra extra',
      'carts list value',
      'default bloom value',
      'orders bloom value',
    ]);
    const repaired = await verify('--repair');
    expect(repaired.status, repaired.stdout).toBe(0);
    expect((await verify()).status).toBe(0);
    expect(await theirOrders.call('BF.EXISTS', 'bloom', 'another')).toBe(0);
    expect(await other.source.call('BF.EXISTS', 'bloom', 'member')).toBe(1);
    for (const client of clients) client.disconnect();
  });
});

describe('a Kvrocks as the target, with namespaces', () => {
  let theirs: PosingKvrocks;
  const clients = new Map<string, Redis>();
  beforeAll(async () => {
    theirs = await openKvrocks(other.server.port);
    for (const end of [ends, other])
      for (const name of ['orders', 'carts']) {
        await end.source.call('NAMESPACE', 'SET', name, `token-${name}`);
        const client = new Redis(end.server.port, { password: `token-${name}` });
        clients.set(`${end === ends ? 'our' : 'their'} ${name}`, client);
      }
  });
  afterAll(async () => {
    for (const client of clients.values()) client.disconnect();
    await theirs[Symbol.asyncDispose]();
  });

  const verify = (password: string, ...words: readonly string[]) =>
    ends.runBetween(
      ends.sourceUrl,
      theirs.url.replace('//', `//:${password}@`),
      'verify',
      ...['--all-namespaces', '--settle', '100', '--json'],
      ...words,
    );

  it('is compared wholly by its administrator, who is told the tokens, and repaired', async () => {
    for (const end of ['our', 'their'])
      for (const client of [end === 'our' ? ends.source : other.source, clients.get(`${end} orders`)]) {
        await client?.rpush('list', 'a', 'b');
        await client?.set('string', 'x');
      }
    await clients.get('our carts')?.set('missing', 'x');
    await clients.get('their carts')?.set('extra', 'x');
    await clients.get('their orders')?.set('string', 'y');
    await clients.get('their orders')?.rpush('list', 'c');
    const different = await verify('secret');
    expect(different.status, different.stderr).toBe(3);
    const { named } = reportIn(different.stdout);
    expect(named.map(({ ns, key, kind }) => `${ns} ${key} ${kind}`).sort()).toEqual([
      'carts extra extra',
      'carts missing missing',
      'orders list value',
      'orders string value',
    ]);
    expect((await verify('secret', '--repair')).status).toBe(0);
    const same = await verify('secret');
    expect(same.status, same.stdout).toBe(0);
    expect(reportIn(same.stdout)).toMatchObject({ sourceKeys: 5, targetKeys: 5, differences: 0 });
    expect(await clients.get('their carts')?.exists('extra', 'missing')).toBe(1);
  });

  it('is refused to others, with what to do', async () => {
    const refused = await verify('token-orders');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('"SINK_REFUSED"');
    expect(refused.stderr).toContain('--to-password TOKEN');
    await ends.source.call('NAMESPACE', 'ADD', 'ours alone', 'token-ours');
    const lacking = await verify('secret');
    await ends.source.call('NAMESPACE', 'DEL', 'ours alone');
    expect(lacking.stderr).toMatch(/has no namespace \\"ours alone/);
  });
});
