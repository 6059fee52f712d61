/** CRC-64 as Redis has it (Jones: reflected polynomial 0x95AC9329AC4BC9B5, no inversion). Of `start` … `end`. */
export const crc64 = (bytes: Uint8Array, start = 0, end = bytes.length): bigint => {
  let low = 0;
  let high = 0;
  for (let at = start; at < end; at++) {
    const place = (low ^ bytes[at]) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ lowWords[place];
    high = (high >>> 8) ^ highWords[place];
  }
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
};

const polynomial = 0x95ac9329ac4bc9b5n;
const lowWords = new Int32Array(256);
const highWords = new Int32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  lowWords[byte] = Number(crc & 0xffff_ffffn);
  highWords[byte] = Number(crc >> 32n);
}
