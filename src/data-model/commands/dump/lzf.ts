import { MalformedDump } from './dumped-value.js';

/**
 * Undoes LZF (Marc Lehmann): runs of literals, and references to what came before.
 *
 *   | 000lllll | l + 1 bytes …                      |
 *   | llloooooo… | offset low u8 |                    length l + 2, offset 13 bits, from 1 backwards
 *   | 111ooooo | l u8 | offset low u8 |              length l + 9
 *
 * @throws MalformedDump when it does not make exactly `length` bytes
 */
export const decompressLzf = (input: Buffer, length: number): Buffer => {
  if (length > input.length * mostBytesPerByte)
    throw new MalformedDump('a compressed string claims too much');
  const output = Buffer.allocUnsafe(length);
  let from = 0;
  let to = 0;
  while (from < input.length) {
    const control = input[from++];
    if (control < 32) {
      const count = control + 1;
      if (from + count > input.length || to + count > length) throw damaged();
      input.copy(output, to, from, from + count);
      from += count;
      to += count;
      continue;
    }
    let count = (control >> 5) + 2;
    if (count === longCount) count += input[from++];
    const source = to - ((control & 31) << 8) - input[from++] - 1;
    if (!(source >= 0) || !(to + count <= length)) throw damaged();
    // Byte by byte: what is copied may reach into what is being written.
    for (let i = 0; i < count; i++) output[to++] = output[source + i];
  }
  if (to !== length) throw damaged();
  return output;
};

const longCount = 9;
/** Three bytes stand for 264 at most. */
const mostBytesPerByte = 88;

const damaged = (): MalformedDump => new MalformedDump('a compressed string is damaged');
