import { ColumnFamily } from '../../encoding/column-family.js';
import { addInt64, doubleText, fixedDoubleText, parseDouble, parseInt64 } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, writeCommand } from '../data-command.js';
import { expiryOfCommand } from '../expiry.js';
import { ErrorReply, ok, type Reply, refusal, wrongArity } from '../reply.js';
import { ByteSet } from '../sub-keys.js';
import {
  compareField,
  findHash,
  findOrCreateHash,
  type Hash,
  hashNote,
  putField,
  putHashSize,
  readField,
} from './hash-value.js';

/**
 * Sets `args[2], args[3], …` as field and value pairs; answers how many fields are new. Goes from the last pair
 * to the first, as Kvrocks does: of a field given twice the last value counts. A field that has the value
 * already is not written.
 */
const setFields = (context: CommandContext, args: readonly Buffer[]): number | ErrorReply => {
  const hash = findOrCreateHash(context, args[1]);
  if (hash instanceof ErrorReply) return hash;
  const added = putFields(context, hash, args, 2);
  putHashSize(context, hash, added);
  return added;
};

/** The note, and the pairs from `args[from]` on; answers how many fields are new. */
const putFields = (context: CommandContext, hash: Hash, args: readonly Buffer[], from: number): number => {
  const seen = args.length > from + 2 ? new ByteSet() : undefined;
  let added = 0;
  context.batch.logData(hashNote);
  for (let i = args.length - 2; i >= from; i -= 2) {
    const field = args[i];
    const value = args[i + 1];
    if (seen?.add(field) === false) continue;
    const old = compareField(context, hash, field, value);
    if (old === 'same') continue;
    if (old === 'missing') added++;
    putField(context, hash, field, value);
  }
  return added;
};

const hset = (context: CommandContext, args: readonly Buffer[]): Reply =>
  args.length % 2 === 0 ? setFields(context, args) : wrongArity('hset');

const hmset = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length % 2 !== 0) return wrongArity('hmset');
  const added = setFields(context, args);
  return added instanceof ErrorReply ? added : ok;
};

/** `HSETEXPIRE key seconds field value …`, of Kvrocks: HSET and EXPIRE of the whole key in one. */
const hsetexpire = (context: CommandContext, args: readonly Buffer[]): Reply => {
  if (args.length % 2 === 0) return wrongArity('hsetexpire');
  const expireMs = expiryOfCommand('hsetexpire', args[2], true, context.nowMs());
  if (expireMs instanceof ErrorReply) return expireMs;
  const hash = findOrCreateHash(context, args[1]);
  if (hash instanceof ErrorReply) return hash;
  const added = putFields(context, hash, args, 3);
  context.putSize(hash.key, { ...hash.metadata, expireMs }, hash.metadata.size + added);
  return ok;
};

const hsetnx = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const hash = findOrCreateHash(context, args[1]);
  if (hash instanceof ErrorReply) return hash;
  const field = args[2];
  if (readField(context, hash, field) !== undefined) return 0;
  context.batch.logData(hashNote);
  putField(context, hash, field, args[3]);
  putHashSize(context, hash, 1);
  return 1;
};

const hdel = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const hash = findHash(context, args[1]);
  if (hash === undefined) return 0;
  if (hash instanceof ErrorReply) return hash;
  const seen = new ByteSet();
  context.batch.logData(hashNote);
  for (let i = 2; i < args.length; i++) {
    const field = args[i];
    if (readField(context, hash, field) === undefined || !seen.add(field)) continue;
    context.batch.delete(ColumnFamily.subKeys, context.scratchKey.join(hash.prefix, field));
  }
  putHashSize(context, hash, -seen.size);
  return seen.size;
};

/** Replaces the field's value by what `change` makes of it. */
const updateField = (
  context: CommandContext,
  args: readonly Buffer[],
  change: (old: Buffer | undefined) => { readonly text: string; readonly reply: Reply } | ErrorReply,
): Reply => {
  const hash = findOrCreateHash(context, args[1]);
  if (hash instanceof ErrorReply) return hash;
  const field = args[2];
  const old = readField(context, hash, field);
  const updated = change(old);
  if (updated instanceof ErrorReply) return updated;
  context.batch.logData(hashNote);
  putField(context, hash, field, Buffer.from(updated.text, 'latin1'));
  putHashSize(context, hash, old === undefined ? 1 : 0);
  return updated.reply;
};

const hincrby = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const delta = parseInt64(args[3]);
  if (delta === undefined) return refusal.notInteger;
  return updateField(context, args, (old) => {
    const current = old === undefined ? 0 : parseInt64(old);
    if (current === undefined) return new ErrorReply('ERR hash value is not an integer');
    const sum = addInt64(current, delta);
    return sum === undefined ? refusal.overflow : { text: String(sum), reply: sum };
  });
};

/** Stores six decimals, as INCRBYFLOAT does. */
const hincrbyfloat = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const delta = parseDouble(args[3]);
  if (delta === undefined) return refusal.notFloat;
  return updateField(context, args, (old) => {
    const current = old === undefined ? 0 : parseDouble(old);
    if (current === undefined) return new ErrorReply('ERR hash value is not a float');
    const sum = current + delta;
    if (!Number.isFinite(sum)) return refusal.notFinite;
    return { text: fixedDoubleText(sum), reply: Buffer.from(doubleText(sum), 'latin1') };
  });
};

export const hashWriteCommands: readonly DataCommand[] = [
  writeCommand('hset', -4, oneKey, hset),
  writeCommand('hmset', -4, oneKey, hmset),
  writeCommand('hsetexpire', -5, oneKey, hsetexpire),
  writeCommand('hsetnx', 4, oneKey, hsetnx),
  writeCommand('hdel', -3, oneKey, hdel),
  writeCommand('hincrby', 4, oneKey, hincrby),
  writeCommand('hincrbyfloat', 4, oneKey, hincrbyfloat),
];
