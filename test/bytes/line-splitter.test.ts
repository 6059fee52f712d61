import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../src/bytes/index.js';

const splitAt = (content: Buffer, pieceBytes: number): { lines: [number, string][]; torn: number } => {
  const splitter = new LineSplitter();
  const lines: [number, string][] = [];
  for (let at = 0; at < content.length; at += pieceBytes)
    for (const { bytes, number } of splitter.split(content.subarray(at, at + pieceBytes)))
      lines.push([number, bytes.toString()]);
  const torn = splitter.tornBytes;
  for (const { bytes, number } of splitter.end()) lines.push([number, `rest ${bytes.toString()}`]);
  return { lines, torn };
};

describe('the line splitter', () => {
  it('finds the same lines however the content is cut', () => {
    // Line separators of Unicode end no line of JSON.
    const content = Buffer.from('one\n\n\u2028three\r\n\u20acfour and more\nfive');
    const wanted = [
      [1, 'one'],
      [3, '\u2028three\r'],
      [4, '\u20acfour and more'],
      [5, 'rest five'],
    ];
    for (let pieceBytes = 1; pieceBytes <= content.length; pieceBytes++)
      expect(splitAt(content, pieceBytes)).toEqual({ lines: wanted, torn: 4 });
  });

  it('has no rest behind a last line end, nor of nothing', () => {
    expect(splitAt(Buffer.from('a\n'), 64)).toEqual({ lines: [[1, 'a']], torn: 0 });
    expect(splitAt(Buffer.alloc(0), 64)).toEqual({ lines: [], torn: 0 });
  });
});
