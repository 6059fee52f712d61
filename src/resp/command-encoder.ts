import { ByteWriter } from './byte-writer.js';

export type CommandArgument = string | number | Uint8Array;

/** Appends one command as a RESP array of bulk strings. */
export const writeCommand = (out: ByteWriter, args: readonly CommandArgument[]): void => {
  out.byte(0x2a);
  out.decimal(args.length);
  out.raw(lineEnd);
  for (const arg of args) writeArgument(out, arg);
};

const writeArgument = (out: ByteWriter, arg: CommandArgument): void => {
  const bytes = typeof arg === 'object' ? arg : Buffer.from(String(arg));
  out.byte(0x24);
  out.decimal(bytes.length);
  out.raw(lineEnd);
  out.raw(bytes);
  out.raw(lineEnd);
};

/** One command as bytes that the caller owns. */
export const encodeCommand = (...args: readonly CommandArgument[]): Buffer => {
  const out = new ByteWriter(64);
  writeCommand(out, args);
  return out.take();
};

const lineEnd = Buffer.from('\r\n');
