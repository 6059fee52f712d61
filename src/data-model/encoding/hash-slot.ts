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

/**
 * Whether metadata keys are those of a Kvrocks in cluster mode: all of them have, behind the namespace, the slot of what follows
 * (`| ns_len u8 | namespace | slot u16 | user key … |`). Elsewhere one key in thousands does by chance, so several are
 * looked at. False when there are none.
 */
export const carrySlots = (metadataKeys: Iterable<Uint8Array>): boolean => {
  let seen = 0;
  for (const key of metadataKeys) {
    const at = 1 + key[0];
    if (at + 2 > key.length || slotOf(key.subarray(at + 2)) !== ((key[at] << 8) | key[at + 1])) return false;
    if (++seen === enoughKeys) break;
  }
  return seen > 0;
};

const enoughKeys = 16;

const openBrace = 0x7b;
const closeBrace = 0x7d;

const crcTable = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) !== 0 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});
