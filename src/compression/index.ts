export { decompressLz4 } from './lz4.js';
export { decompressSnappy } from './snappy.js';
export { decompressZstd } from './zstd.js';
