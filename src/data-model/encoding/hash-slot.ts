/** How many slots the keys of a Redis Cluster are spread over. */
export const slotCount = 16_384;

/**
 * The slot of a key: CRC-16 (XMODEM) of the key, or of what stands between its first `{` and the next `}` when that
 * is not empty, modulo 16,384.
 */
export const slotOf = (key: Uint8Array): number => {
  let start = 0;
  let end = key.length;
  const open = key.indexOf(openBrace);
  if (open >= 0) {
    const close = key.indexOf(closeBrace, open + 1);
    if (close > open + 1) {
      start = open + 1;
      end = close;
    }
  }
  let crc = 0;
  for (let at = start; at < end; at++) crc = ((crc << 8) & 0xffff) ^ crcTable[(crc >>> 8) ^ key[at]];
  return crc & (slotCount - 1);
};

const openBrace = 0x7b;
const closeBrace = 0x7d;

const crcTable = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) !== 0 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});
