import { encodeLogData, LogCommand } from '../../encoding/log-data.js';
import type { Metadata } from '../../encoding/metadata.js';
import { parseInt64 } from '../arguments.js';
import type { CommandContext } from '../command-context.js';
import { type DataCommand, oneKey, readCommand, writeCommand } from '../data-command.js';
import { absoluteExpiry, allowsExpiry, parseExpireCondition } from '../expiry.js';
import { ErrorReply, invalidExpire, type Reply, refusal } from '../reply.js';

const expireNote = encodeLogData(undefined, LogCommand.expire);

const writeExpiry = (context: CommandContext, key: Buffer, metadata: Metadata, expireMs: number): void => {
  context.batch.logData(expireNote);
  context.putMetadata(key, { ...metadata, expireMs });
};

/**
 * The EXPIRE family. A time in the past is written as such, as Kvrocks does: the key is gone for every reader,
 * and the log tells why.
 */
const expire =
  (command: string, isSeconds: boolean, isAbsolute: boolean) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const key = args[1];
    const amount = parseInt64(args[2]);
    if (amount === undefined) return refusal.notInteger;
    const condition = parseExpireCondition(args, 3);
    if (condition instanceof ErrorReply) return condition;
    const nowMs = context.nowMs();
    const wanted =
      typeof amount === 'bigint' ? undefined : absoluteExpiry(amount, isSeconds, isAbsolute ? 0 : nowMs);
    if (wanted === undefined) return invalidExpire(command);
    // What expires now must be gone for the very next command, in the same millisecond.
    const expireMs = wanted === nowMs ? nowMs - 1 : wanted;
    const metadata = context.findAny(key);
    if (metadata === undefined || !allowsExpiry(condition, metadata.expireMs, expireMs)) return 0;
    writeExpiry(context, key, metadata, expireMs);
    return 1;
  };

const persist = (context: CommandContext, args: readonly Buffer[]): Reply => {
  const key = args[1];
  const metadata = context.findAny(key);
  if (metadata === undefined || metadata.expireMs === 0) return 0;
  writeExpiry(context, key, metadata, 0);
  return 1;
};

/** Answers −2 for no key, −1 for no expiry, else what `show` makes of the expiry. */
const timeOf =
  (show: (expireMs: number, nowMs: number) => number) =>
  (context: CommandContext, args: readonly Buffer[]): Reply => {
    const metadata = context.findAny(args[1]);
    if (metadata === undefined) return -2;
    return metadata.expireMs === 0 ? -1 : show(metadata.expireMs, context.nowMs());
  };

const inSeconds = (ms: number): number => Math.floor((ms + 500) / 1000);

export const expireCommands: readonly DataCommand[] = [
  writeCommand('expire', -3, oneKey, expire('expire', true, false)),
  writeCommand('pexpire', -3, oneKey, expire('pexpire', false, false)),
  writeCommand('expireat', -3, oneKey, expire('expireat', true, true)),
  writeCommand('pexpireat', -3, oneKey, expire('pexpireat', false, true)),
  writeCommand('persist', 2, oneKey, persist),
  readCommand(
    'ttl',
    2,
    oneKey,
    timeOf((expireMs, nowMs) => inSeconds(expireMs - nowMs)),
  ),
  readCommand(
    'pttl',
    2,
    oneKey,
    timeOf((expireMs, nowMs) => expireMs - nowMs),
  ),
  readCommand(
    'expiretime',
    2,
    oneKey,
    timeOf((expireMs) => inSeconds(expireMs)),
  ),
  readCommand(
    'pexpiretime',
    2,
    oneKey,
    timeOf((expireMs) => expireMs),
  ),
];
