import { isUtf8 } from 'node:buffer';
import type { Change } from '../kit/index.js';
import { inOneLine } from './control-characters.js';

/** A change in one line for people: what happened, to which key, with what. */
export const describeChange = (change: Change): string => {
  const { seq: _seq, index: _index, ns, op, type, ...rest } = change;
  const details = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => (name === 'key' ? printable(value) : `${name}=${printable(value)}`));
  const namespace = ns === 'default' || ns === '' ? '' : `[${inOneLine(ns)}] `;
  return `${namespace}${op} ${type}  ${details.join('  ')}`;
};

const printable = (value: unknown): string => {
  if (value instanceof Uint8Array) return printableBytes(value);
  if (Array.isArray(value)) return `[${value.map(printable).join(', ')}]`;
  return value === Number.POSITIVE_INFINITY
    ? 'inf'
    : value === Number.NEGATIVE_INFINITY
      ? '-inf'
      : String(value);
};

/** Printable ASCII as it is, the rest, quotes and backslashes as \xHH; long strings are cut. */
export const printableBytes = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes.subarray(0, shownBytes))
    text +=
      byte >= 0x20 && byte < 0x7f && byte !== 0x5c && byte !== 0x22
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, '0')}`;
  return `"${text}"${bytes.length > shownBytes ? `… (${bytes.length} bytes)` : ''}`;
};

/** Bytes in JSON as change events have them. */
export const jsonBytes = (bytes: Buffer): string | { base64: string } =>
  isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') };

const shownBytes = 128;
