import type { BitmapPut, Change, Clear, Expire, HyperLogLogPut, Persist, WholeValuePut } from '../change.js';
import { BitCommands } from './bit-commands.js';
import { endOfRun } from './change-run.js';
import { type CommandTarget, commandName, nowhere } from './command-target.js';
import { isPlainSet, maxFolded, maxFoldedBytes, mset } from './folded-sets.js';
import { KeyCommands } from './key-commands.js';
import type { EncodedCommands, RedisMapping, UnsupportedChange } from './redis-mapping.js';
import { RunCommands } from './run-commands.js';
import { SortedIntCommands } from './sorted-int-commands.js';

/**
 * Says each change in Redis commands. Runs of changes of one kind, op and key are folded into one command:
 * fields of a hash, members of a set, elements pushed. Hot for strings and hashes; measured by bench `decode`.
 */
export class RedisCommandWriter {
  readonly #json: NonNullable<RedisMapping['json']>;
  readonly #hasBitmaps: boolean;
  readonly #hasHyperLogLogs: boolean;
  readonly #publishes: boolean;
  readonly #ttlGraceMs: number;
  readonly #prefixes: ReadonlyMap<string, Buffer>;
  readonly #foldsSets: boolean;
  readonly #keys = new KeyCommands();
  readonly #runs = new RunCommands(this.#keys);
  readonly #bits = new BitCommands(this.#keys);
  readonly #sortedInts: SortedIntCommands;
  #target: CommandTarget = nowhere;
  #prefixNs = '';
  #flushes = false;
  #unsupported: UnsupportedChange[] = [];
  #end = 0;

  constructor(mapping: RedisMapping) {
    this.#json = mapping.json ?? 'string';
    this.#sortedInts = new SortedIntCommands(this.#keys, mapping.sortedInt ?? 'zset', (change, reason) =>
      this.#refuse(change, reason),
    );
    this.#hasBitmaps = mapping.bitmap === 'native';
    this.#hasHyperLogLogs = mapping.hyperLogLog === 'native';
    this.#publishes = mapping.publish ?? false;
    this.#ttlGraceMs = mapping.ttlGraceMs ?? 0;
    const prefixes = Object.entries(mapping.prefixes ?? { default: '' });
    this.#prefixes = new Map(prefixes.map(([ns, prefix]) => [ns, Buffer.from(prefix)]));
    this.#foldsSets = mapping.foldSets ?? false;
  }

  /** What the keys of each namespace start with in the target. */
  get prefixes(): ReadonlyMap<string, Buffer> {
    return this.#prefixes;
  }

  /** Behind the last change that was written. */
  get end(): number {
    return this.#end;
  }

  /** Writes the changes from `from` on, up to the end of the command that reaches or goes beyond `to`. */
  write(changes: readonly Change[], target: CommandTarget, from = 0, to = changes.length): EncodedCommands {
    this.#target = target;
    this.#keys.begin(target);
    this.#flushes = false;
    this.#unsupported = [];
    const stop = Math.min(to, changes.length);
    let at = from;
    while (at < stop) {
      const change = changes[at];
      if (change.ns !== this.#prefixNs && !this.#enter(change)) {
        this.#unsupported.push({
          change: at,
          reason: `the namespace ${change.ns} has no place in the target`,
        });
        at++;
      } else at = this.#writeRun(changes, at);
    }
    this.#end = at;
    return { commands: this.#keys.count, unsupported: this.#unsupported, flushes: this.#flushes };
  }

  #msetPair(change: Change): void {
    if (!isPlainSet(change)) throw new RangeError('not a plain SET');
    if (change.ns !== this.#prefixNs) this.#enter(change);
    this.#keys.key(change.key);
    this.#target.bytes(change.value);
  }

  #enter(change: Change): boolean {
    if (
      change.op === 'propagate' ||
      change.op === 'publish' ||
      (change.op === 'clear' && change.type === 'all')
    )
      return true;
    const prefix = this.#prefixes.get(change.ns);
    if (prefix === undefined) return false;
    this.#keys.prefix = prefix;
    this.#prefixNs = change.ns;
    return true;
  }

  /** Writes the change at `at` with those behind it that fold into it; returns the index behind them. */
  #writeRun(changes: readonly Change[], at: number): number {
    const change = changes[at];
    switch (change.op) {
      case 'put':
        return this.#writePut(changes, at, change);
      case 'push':
        return this.#runs.push(changes, at, change);
      case 'pop':
        this.#keys.start(change.side === 'head' ? names.lpop : names.rpop, change.key, 1);
        this.#target.text(String(change.count));
        return at + 1;
      case 'delete':
        return this.#writeDelete(changes, at, change);
      case 'expire':
      case 'persist':
        this.#expiry(change, at);
        return at + 1;
      case 'streamMeta':
        this.#streamMeta(change.command);
        return at + 1;
      case 'clear':
        this.#clear(change, at);
        return at + 1;
      case 'publish':
        if (this.#publishes) {
          this.#keys.startPlain(names.publish, 3);
          this.#target.bytes(change.channel);
          this.#target.bytes(change.value);
        }
        return at + 1;
      case 'propagate': // scripts belong to the server, not to the data
        return at + 1;
    }
  }

  #writePut(changes: readonly Change[], at: number, change: Extract<Change, { op: 'put' }>): number {
    switch (change.type) {
      case 'string':
        if (this.#foldsSets && change.ttlAt === undefined) return this.#sets(changes, at, change);
        this.#set(change.key, change.value, change.ttlAt);
        return at + 1;
      case 'hash':
        return this.#runs.putFields(changes, at, change);
      case 'json':
        this.#jsonSet(change, change.value, change.ttlAt, at);
        return at + 1;
      case 'set':
        return this.#runs.putMembers(changes, at, change);
      case 'zset':
        return this.#runs.putScores(changes, at, change);
      case 'sortedint':
        return this.#sortedInts.add(changes, at, change);
      case 'list':
        this.#keys.start(names.lset, change.key, 2);
        this.#target.text(String(change.listIndex));
        this.#target.bytes(change.value);
        return at + 1;
      case 'stream':
        this.#keys.start(names.xadd, change.key, 1 + change.fields.length);
        this.#target.text(change.id);
        for (const field of change.fields) this.#target.bytes(field);
        return at + 1;
      case 'bitmap':
        this.#bitmapPut(change);
        return at + 1;
      case 'hyperloglog':
        if (!this.#hasHyperLogLogs) return this.#hyperLogLogPuts(changes, at, change);
        this.#addRegisters(change, at);
        return at + 1;
    }
  }

  #writeDelete(changes: readonly Change[], at: number, change: Extract<Change, { op: 'delete' }>): number {
    switch (change.type) {
      case 'key':
        this.#keys.start(names.del, change.key, 0);
        return at + 1;
      case 'hash':
        return this.#runs.deleteFields(changes, at, change);
      case 'set':
      case 'zset':
        return this.#runs.deleteMembers(changes, at, change);
      case 'sortedint':
        return this.#sortedInts.remove(changes, at, change);
      case 'stream':
        return this.#runs.deleteEntries(changes, at, change);
    }
  }

  #set(key: Uint8Array, value: Uint8Array, ttlAt: number | undefined): void {
    this.#keys.start(names.set, key, ttlAt === undefined ? 1 : 3);
    this.#target.bytes(value);
    if (ttlAt === undefined) return;
    this.#target.text('PXAT');
    this.#target.text(String(ttlAt + this.#ttlGraceMs));
  }

  #sets(changes: readonly Change[], from: number, first: WholeValuePut): number {
    let bytes = 0;
    let end = from;
    for (; end < changes.length && end - from < maxFolded && bytes < maxFoldedBytes; end++) {
      const change = changes[end];
      if (!isPlainSet(change) || change.ns !== first.ns) break;
      bytes += change.value.length;
    }
    if (end === from + 1) {
      this.#set(first.key, first.value, undefined);
      return end;
    }
    this.#keys.startPlain(mset, 1 + 2 * (end - from));
    for (let at = from; at < end; at++) this.#msetPair(changes[at]);
    return end;
  }

  #jsonSet(
    change: WholeValuePut | Expire | Persist,
    value: Uint8Array,
    ttlAt: number | undefined,
    at: number,
  ): void {
    if (this.#json === 'refuse') this.#refuse(at, 'JSON documents are refused by the mapping');
    else if (this.#json === 'string') this.#set(change.key, value, ttlAt);
    else {
      // JSON.SET refuses a key of another type, and keeps an expiry.
      this.#keys.start(names.del, change.key, 0);
      this.#keys.start(names.jsonSet, change.key, 2);
      this.#target.text('$');
      this.#target.bytes(value);
      if (ttlAt !== undefined) this.#pexpireat(change.key, ttlAt);
    }
  }

  #expiry(change: Expire | Persist, at: number): void {
    const ttlAt = change.op === 'expire' ? change.ttlAt : undefined;
    if (change.type === 'json' && change.value !== undefined) this.#jsonSet(change, change.value, ttlAt, at);
    else if (change.value !== undefined) this.#set(change.key, change.value, ttlAt);
    else if (change.type === 'sortedint' && this.#sortedInts.isRefused) this.#sortedInts.refuseExpiry(at);
    else if (ttlAt === undefined) this.#keys.start(names.persist, change.key, 0);
    else this.#pexpireat(change.key, ttlAt);
  }

  #pexpireat(key: Uint8Array, ttlAt: number): void {
    this.#keys.start(names.pexpireat, key, 1);
    this.#target.text(String(ttlAt + this.#ttlGraceMs));
  }

  /** The words of the command with the key, which is the first or second argument, as the target has it. */
  #streamMeta(command: readonly (string | Uint8Array)[]): void {
    const [name, ...words] = command;
    const keyAt = name === 'XGROUP' ? 1 : 0;
    this.#keys.startPlain(commandName(String(name)), command.length);
    for (let at = 0; at < words.length; at++) {
      const word = words[at];
      if (typeof word === 'string') this.#target.text(word);
      else if (at === keyAt) this.#keys.key(word);
      else this.#target.bytes(word);
    }
  }

  #bitmapPut({ key, offset, value, size }: BitmapPut): void {
    if (this.#hasBitmaps) this.#bits.setWords(key, offset, value);
    else if (value.length > 0) this.#bits.setRange(key, offset, value);
    if (size !== undefined) this.#bits.lengthen(key, size);
  }

  #addRegisters({ key, segment, value }: HyperLogLogPut, at: number): void {
    if (!this.#bits.raiseRegisters(key, segment, value))
      this.#refuse(at, 'a register of the HyperLogLog holds what no PFADD gives');
  }

  #hyperLogLogPuts(changes: readonly Change[], from: number, first: HyperLogLogPut): number {
    const end = endOfRun(changes, from, first);
    this.#bits.startDenseHyperLogLog(first.key);
    for (let at = from; at < end; at++) {
      const { segment, value } = changes[at] as HyperLogLogPut;
      this.#bits.setDenseRegisters(first.key, segment, value);
    }
    return end;
  }

  #clear(change: Clear, at: number): void {
    const holdsOneNamespace = this.#prefixes.size === 1;
    if (change.type === 'slot')
      this.#refuse(at, `slot ${change.slot} is cleared, for which Redis has no command`);
    else if (change.type === 'all' || (holdsOneNamespace && this.#keys.prefix.length === 0)) {
      this.#flushes = true;
      this.#keys.startPlain(names.flushdb, 1);
    } else if (this.#keys.prefix.length === 0)
      this.#refuse(
        at,
        `the namespace ${change.ns} is cleared, whose keys have no prefix to tell them from others`,
      );
    else {
      this.#keys.startPlain(names.eval, 4);
      this.#target.text(deleteByPrefix);
      this.#target.text('0');
      this.#target.bytes(this.#keys.prefix);
    }
  }

  #refuse(change: number, reason: string): void {
    this.#unsupported.push({ change, reason });
  }
}

/** Deletes every key that starts with ARGV[1], whatever characters it has. */
const deleteByPrefix = `
local pattern = string.gsub(ARGV[1], '[%*%?%[%]%^%-\\\\]', '\\\\%0') .. '*'
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do redis.call('UNLINK', key) end
until cursor == '0'
return redis.status_reply('OK')`;

const names = {
  set: commandName('SET'),
  del: commandName('DEL'),
  lset: commandName('LSET'),
  lpop: commandName('LPOP'),
  rpop: commandName('RPOP'),
  xadd: commandName('XADD'),
  jsonSet: commandName('JSON.SET'),
  pexpireat: commandName('PEXPIREAT'),
  persist: commandName('PERSIST'),
  publish: commandName('PUBLISH'),
  flushdb: commandName('FLUSHDB'),
  eval: commandName('EVAL'),
} as const;
