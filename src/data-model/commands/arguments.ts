/** Numbers as Redis reads them from arguments and values: strictly, no spaces, no leading zeros. */

const maxInt64 = 0x7fff_ffff_ffff_ffffn;
const minInt64 = -maxInt64 - 1n;

/** A whole number that `number` holds exactly; undefined for anything else. */
export const parseInteger = (bytes: Uint8Array): number | undefined => parseIntegerAt(bytes, 0, bytes.length);

/** `parseInteger` of the bytes from `start` to `end`. */
export const parseIntegerAt = (bytes: Uint8Array, start: number, end: number): number | undefined => {
  const isNegative = end > start && bytes[start] === minus;
  const first = isNegative ? start + 1 : start;
  if (end === first || end - first > maxSafeDigits) return undefined;
  if (bytes[first] === zero) return end - start === 1 ? 0 : undefined;
  let value = 0;
  for (let i = first; i < end; i++) {
    const digit = bytes[i] - zero;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (value > Number.MAX_SAFE_INTEGER) return undefined;
  return isNegative ? -value : value;
};

/** A signed 64-bit number: `number` where that is exact, `bigint` beyond; undefined for anything else. */
export const parseInt64 = (bytes: Uint8Array): number | bigint | undefined => {
  const small = parseInteger(bytes);
  if (small !== undefined) return small;
  if (bytes.length > 20) return undefined;
  const text = Buffer.from(bytes).toString('latin1');
  if (!/^-?[1-9]\d*$/.test(text)) return undefined;
  const value = BigInt(text);
  return value >= minInt64 && value <= maxInt64 ? value : undefined;
};

/** A signed 64-bit number, or the nearest to it that `number` holds: for places and counts, of which none is so large. */
export const parseClamped = (bytes: Uint8Array): number | undefined => {
  const value = parseInt64(bytes);
  if (typeof value !== 'bigint') return value;
  return value < 0n ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
};

/** The sum when it fits 64 bits; undefined on overflow. */
export const addInt64 = (a: number | bigint, b: number | bigint): number | bigint | undefined => {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  const sum = BigInt(a) + BigInt(b);
  if (sum < minInt64 || sum > maxInt64) return undefined;
  const small = Number(sum);
  return Number.isSafeInteger(small) ? small : sum;
};

/** The negation when it fits 64 bits. */
export const negateInt64 = (value: number | bigint): number | bigint | undefined =>
  value === 0 ? 0 : typeof value === 'number' ? -value : value === minInt64 ? undefined : -value;

/** The bytes of a whole number in decimal. Borrowed until the next call. */
export const decimalBytes = (value: number | bigint): Buffer => {
  if (typeof value === 'bigint' || value > 0xffff_ffff || value < 0)
    return Buffer.from(String(value), 'latin1');
  let at = decimalScratch.length;
  let rest = value;
  do {
    const quotient = Math.floor(rest / 10);
    decimalScratch[--at] = zero + (rest - quotient * 10);
    rest = quotient;
  } while (rest > 0);
  return decimalViews[at];
};

const decimalScratch = Buffer.allocUnsafeSlow(10);
/** What follows each place of the scratch. */
const decimalViews = Array.from(decimalScratch, (_, at) => decimalScratch.subarray(at));

/** A float, `inf`, `-inf`; undefined for anything else, NaN included. */
export const parseDouble = (bytes: Uint8Array): number | undefined => {
  const plain = parsePlainDouble(bytes);
  if (plain !== undefined) return plain;
  if (bytes.length === 0 || bytes.length > maxDoubleBytes) return undefined;
  const text = Buffer.from(bytes).toString('latin1');
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined; // too large: only the word is infinity
  }
  const infinity = /^([+-]?)inf(inity)?$/i.exec(text);
  if (infinity === null) return undefined;
  return infinity[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
};

/** Digits, with a point among them or not: what most scores are. Exact, since all of it fits the 53 bits of a double. */
const parsePlainDouble = (bytes: Uint8Array): number | undefined => {
  const { length } = bytes;
  const isNegative = bytes[0] === minus;
  const start = isNegative ? 1 : 0;
  if (length === start || length - start > maxSafeDigits) return undefined;
  let value = 0;
  let scale = 0;
  for (let i = start; i < length; i++) {
    const digit = bytes[i] - zero;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      scale *= 10;
    } else if (bytes[i] === point && scale === 0 && length > start + 1) scale = 1;
    else return undefined;
  }
  if (value > Number.MAX_SAFE_INTEGER) return undefined;
  const magnitude = scale > 1 ? value / scale : value;
  return isNegative ? -magnitude : magnitude;
};

/**
 * A double in the shortest text that reads back to it, with an exponent where C's %.17g has one, and `inf`,
 * `-inf`, as scores and floats are answered.
 */
export const doubleText = (value: number): string => {
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  if (value === Number.NEGATIVE_INFINITY) return '-inf';
  if (Number.isNaN(value)) return 'nan';
  if (Object.is(value, -0)) return '-0';
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e17)) {
    const [digits, exponent] = value.toExponential().split('e') as [string, string];
    const sign = exponent.startsWith('-') ? '-' : '+';
    return `${digits}e${sign}${exponent.replace(/^[+-]/, '').padStart(2, '0')}`;
  }
  return String(value);
};

/** A double as C's %f writes it: six decimals, no exponent. The form in which Kvrocks stores counted floats. */
export const fixedDoubleText = (value: number): string => {
  if (!Number.isFinite(value)) return doubleText(value);
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`;
};

/** The word of an option, in upper case. */
export const optionWord = (bytes: Uint8Array): string =>
  bytes.length > maxWordBytes ? '' : Buffer.from(bytes).toString('latin1').toUpperCase();

const minus = 0x2d;
const zero = 0x30;
const point = 0x2e;
const maxSafeDigits = 16;
const maxDoubleBytes = 512;
const maxWordBytes = 32;
