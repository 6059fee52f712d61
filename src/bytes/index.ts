export {
  readU32BigEndian,
  readU64BigEndian,
  writeU32BigEndian,
  writeU64BigEndian,
} from './big-endian.js';
export type { ByteCursor } from './byte-cursor.js';
export { compareBytes, equalBytes, prefixSuccessor, startsWithAt } from './compare.js';
export { copyOf } from './copy.js';
export { crc32c, crc32cOfView, maskCrc, unmaskCrc } from './crc32c.js';
export { crc64, writeCrc64 } from './crc64.js';
export { matchesGlob } from './glob.js';
export { type ItemPlace, nowhere } from './item-place.js';
export { type Line, LineSplitter } from './line-splitter.js';
export { readU32, readU64, writeU32, writeU64 } from './little-endian.js';
export { orderedDoubleBytes, readOrderedDouble, writeOrderedDouble } from './ordered-double.js';
export { maxVarint32Bytes, readVarint32, readVarint64, writeVarint32 } from './varint.js';
export { xxh3, xxh3Low32 } from './xxh3.js';
export { xxHash64 } from './xxhash64.js';
