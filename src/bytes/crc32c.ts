/** CRC-32C (Castagnoli, reflected polynomial 0x82F63B78). */
export const crc32c = (bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number => {
  if (end - start >= fewestViewed)
    return crc32cOfView(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), start, end, seed);
  let crc = ~seed;
  let i = start;
  for (const last = end - 7; i < last; i += 8) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc =
      t7[crc & 0xff] ^
      t6[(crc >>> 8) & 0xff] ^
      t5[(crc >>> 16) & 0xff] ^
      t4[crc >>> 24] ^
      t3[bytes[i + 4]] ^
      t2[bytes[i + 5]] ^
      t1[bytes[i + 6]] ^
      t0[bytes[i + 7]];
  }
  for (; i < end; i++) crc = t0[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
};

/**
 * `crc32c` of memory that comes again and again, sixteen bytes a step by sixteen tables. What depends on the step before
 * is joined last, so that the rest need not wait for it.
 * Hot: a reader or writer of logs spends much of its time here; measured by benches `wal-decode`, `server`.
 */
export const crc32cOfView = (view: DataView, start: number, end: number, seed = 0): number => {
  let crc = ~seed;
  let i = start;
  for (const last = end - 15; i < last; i += 16) {
    const a = crc ^ view.getInt32(i, true);
    const b = view.getInt32(i + 4, true);
    const c = view.getInt32(i + 8, true);
    const d = view.getInt32(i + 12, true);
    crc =
      t7[c & 0xff] ^
      t6[(c >>> 8) & 0xff] ^
      t5[(c >>> 16) & 0xff] ^
      t4[c >>> 24] ^
      t3[d & 0xff] ^
      t2[(d >>> 8) & 0xff] ^
      t1[(d >>> 16) & 0xff] ^
      t0[d >>> 24] ^
      t11[b & 0xff] ^
      t10[(b >>> 8) & 0xff] ^
      t9[(b >>> 16) & 0xff] ^
      t8[b >>> 24] ^
      (t15[a & 0xff] ^ t14[(a >>> 8) & 0xff] ^ (t13[(a >>> 16) & 0xff] ^ t12[a >>> 24]));
  }
  if (i + 8 <= end) {
    const a = crc ^ view.getInt32(i, true);
    const b = view.getInt32(i + 4, true);
    crc =
      t3[b & 0xff] ^
      t2[(b >>> 8) & 0xff] ^
      t1[(b >>> 16) & 0xff] ^
      t0[b >>> 24] ^
      (t7[a & 0xff] ^ t6[(a >>> 8) & 0xff] ^ (t5[(a >>> 16) & 0xff] ^ t4[a >>> 24]));
    i += 8;
  }
  for (; i < end; i++) crc = t0[(crc ^ view.getUint8(i)) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
};

/** A view of one's own costs more than it saves for less. */
const fewestViewed = 512;

/**
 * The masked form in which RocksDB stores a CRC, so that the CRC of bytes that hold CRCs stays sound:
 * rotated right by 15, plus a constant.
 */
export const maskCrc = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

/** The checksum that `maskCrc` has masked. */
export const unmaskCrc = (masked: number): number => {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
};

const makeTable = (previous?: Int32Array): Int32Array => {
  const table = new Int32Array(256);
  for (let n = 0; n < 256; n++) {
    if (previous !== undefined) {
      table[n] = (previous[n] >>> 8) ^ t0[previous[n] & 0xff];
      continue;
    }
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
    table[n] = crc;
  }
  return table;
};

/** What a byte does to the CRC when so many bytes follow it in the step. */
const t0 = makeTable();
const t1 = makeTable(t0);
const t2 = makeTable(t1);
const t3 = makeTable(t2);
const t4 = makeTable(t3);
const t5 = makeTable(t4);
const t6 = makeTable(t5);
const t7 = makeTable(t6);
const t8 = makeTable(t7);
const t9 = makeTable(t8);
const t10 = makeTable(t9);
const t11 = makeTable(t10);
const t12 = makeTable(t11);
const t13 = makeTable(t12);
const t14 = makeTable(t13);
const t15 = makeTable(t14);
