import { describe, expect, it } from 'vitest';
import { type Reply, ReplyError } from '../../src/resp/index.js';
import { ReplyParser } from '../../src/resp/reply-parser.js';
import { SeededRandom } from '../support/seeded-random.js';

const wire =
  '+OK\r\n+QUEUED\r\n+QUEUES\r\n+\r\n-ERR no\r\n:-7\r\n:9007199254740993\r\n$-1\r\n*-1\r\n_\r\n$0\r\n\r\n' +
  '$4\r\na\r\nb\r\n*0\r\n*2\r\n*1\r\n*0\r\n%1\r\n+key\r\n,inf\r\n#t\r\n~2\r\n(123\r\n=7\r\ntxt:abc\r\n' +
  '*3\r\n:1\r\n*2\r\n$1\r\nx\r\n*-1\r\n-ERR inside\r\n!7\r\nERR big\r\n';
const replies: Reply[] = [
  'OK',
  'QUEUED',
  'QUEUES',
  '',
  new ReplyError('ERR no'),
  -7,
  9007199254740993n,
  null,
  null,
  null,
  Buffer.alloc(0),
  Buffer.from('a\r\nb'),
  [],
  [[[]], ['key', Number.POSITIVE_INFINITY]],
  true,
  [123n, Buffer.from('abc')],
  [1, [Buffer.from('x'), null], new ReplyError('ERR inside')],
  new ReplyError('ERR big'),
];

const parse = (parser: ReplyParser, chunk: Buffer): Reply[] => {
  parser.feed(chunk);
  const found: Reply[] = [];
  for (let reply = parser.next(); reply !== undefined; reply = parser.next()) found.push(reply);
  return found;
};

describe('the reply parser', () => {
  it('reads every kind of reply', () => {
    expect(parse(new ReplyParser(), Buffer.from(wire))).toEqual(replies);
  });

  it('reads the same from any two pieces, and byte by byte', () => {
    const bytes = Buffer.from(wire);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const parser = new ReplyParser();
      const found = [...parse(parser, bytes.subarray(0, cut)), ...parse(parser, bytes.subarray(cut))];
      expect(found).toEqual(replies);
    }
    const parser = new ReplyParser();
    expect([...bytes].flatMap((byte) => parse(parser, Buffer.of(byte)))).toEqual(replies);
  });

  it('gives each reply as soon as it is whole', () => {
    const parser = new ReplyParser();
    const found = ['$5\r\nhel', 'lo\r\n', ':1\r\n', '*2\r\n+OK\r\n$', '3\r\nabc\r\n'].map((text) =>
      parse(parser, Buffer.from(text)),
    );
    expect(found).toEqual([[], [Buffer.from('hello')], [1], [], [['OK', Buffer.from('abc')]]]);
  });

  it('reads large arrays that arrive in pieces of any size', () => {
    const random = SeededRandom.fromEnvironment('reply pieces');
    const items = Array.from({ length: 200 }, () => random.bytes(random.below(5_000)));
    const framed = items.flatMap((item) => [Buffer.from(`$${item.length}\r\n`), item, Buffer.from('\r\n')]);
    const bytes = Buffer.concat([Buffer.from(`*2\r\n:1\r\n*${items.length}\r\n`), ...framed]);
    const parser = new ReplyParser();
    const found: Reply[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + random.below(20_000);
      found.push(...parse(parser, bytes.subarray(at, at + length)));
      at += length;
    }
    expect(found).toHaveLength(1);
    const [reply] = found as [[number, Buffer[]]];
    expect(Buffer.concat(reply[1]).equals(Buffer.concat(items))).toBe(true);
  });

  it.each(['hello\r\n', '$x\r\n', `${'*1\r\n'.repeat(100)}:1\r\n`])('refuses %j', (text) => {
    expect(() => parse(new ReplyParser(), Buffer.from(text))).toThrow(RangeError);
  });

  it('takes error lines of any reasonable length, and gives up one that has no end', () => {
    const parser = new ReplyParser();
    const long = `-ERR ${'x'.repeat(900_000)}\r\n`;
    parser.feed(Buffer.from(long));
    expect(parser.next()).toMatchObject({ message: long.slice(1, -2) });
    const feedForEver = (): void => {
      for (let at = 0; at < 100; at++) {
        parser.feed(Buffer.alloc(64 * 1024, 'x'));
        expect(parser.next()).toBeUndefined();
      }
    };
    expect(feedForEver).toThrow('a line that has no end');
  });
});
