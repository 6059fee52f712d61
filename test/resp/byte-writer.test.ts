import { describe, expect, it } from 'vitest';
import { ByteWriter, encodeCommand } from '../../src/resp/index.js';

describe('the byte writer', () => {
  it('writes text as the bulk string of its UTF-8 bytes, whatever its length and characters', () => {
    const texts = [
      '',
      'SET',
      'x'.repeat(9),
      'x'.repeat(64),
      'x'.repeat(65),
      'x'.repeat(5000),
      'schlüssel',
      'ab☃',
      '\u007f\u0080',
    ];
    const [ours, theirs] = [new ByteWriter(8), new ByteWriter(8)];
    for (const text of texts) {
      ours.bulkText(text);
      theirs.bulk(Buffer.from(text));
    }
    expect(ours.bytes.toString('hex')).toBe(theirs.bytes.toString('hex'));
  });

  it('writes commands of texts, numbers and bytes', () => {
    expect(encodeCommand('HSET', 'ü', 12_345, -1, 1.5, Buffer.from([0, 255])).toString('latin1')).toBe(
      '*6\r\n$4\r\nHSET\r\n$2\r\nÃ¼\r\n$5\r\n12345\r\n$2\r\n-1\r\n$3\r\n1.5\r\n$2\r\n\0\xff\r\n',
    );
  });
});

it('moves what another writer holds behind its own, also where that is too large for a copy', () => {
  for (const length of [0, 1000, 40_000_000]) {
    const [target, source] = [new ByteWriter(), new ByteWriter(256)];
    target.latin1('head:');
    const content = Buffer.alloc(length, 'abc');
    source.bulk(content);
    target.moveFrom(source);
    target.latin1('tail');
    const expected = Buffer.concat([Buffer.from(`head:$${length}\r\n`), content, Buffer.from('\r\ntail')]);
    expect(target.bytes.equals(expected)).toBe(true);
    expect(source.length).toBe(0);
    source.latin1('anew');
    expect(source.bytes.toString()).toBe('anew');
    expect(target.bytes.equals(expected)).toBe(true);
  }
});

it('starts anew behind what was taken or cleared, and keeps no very large memory', () => {
  const writer = new ByteWriter();
  for (const length of [5, 5_000, 40_000_000]) {
    const written = Buffer.alloc(length, 'abc');
    writer.raw(written);
    const taken = writer.take();
    writer.latin1('next');
    expect([writer.bytes.toString(), taken.equals(written)]).toEqual(['next', true]);
    writer.raw(written);
    writer.clear();
    expect(writer.length).toBe(0);
  }
  expect(writer.claim(1).length).toBeLessThan(1_000_000);
});
