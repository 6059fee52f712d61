import { ByteWriter } from './byte-writer.js';

/** A word of a command; text goes as UTF-8, numbers as decimal digits. */
export type CommandArgument = string | number | Uint8Array;

/** Appends one command as a RESP array of bulk strings. */
export const writeCommand = (out: ByteWriter, args: readonly CommandArgument[]): void => {
  out.arrayHeader(args.length);
  for (const arg of args) {
    if (typeof arg === 'object') out.bulk(arg);
    else out.bulkText(String(arg));
  }
};

/** One command as bytes that the caller owns. */
export const encodeCommand = (...args: readonly CommandArgument[]): Buffer => {
  const out = new ByteWriter(64);
  writeCommand(out, args);
  return out.take();
};
