/** A command that took long. Owns its arguments, which are shortened. */
export interface SlowCall {
  readonly id: number;
  readonly atMs: number;
  readonly microseconds: number;
  readonly args: readonly Buffer[];
  readonly address: string;
  readonly clientName: string;
}

/** The last commands that took longer than a threshold, newest first. */
export class SlowLog {
  #calls: SlowCall[] = [];
  #nextId = 0;

  get calls(): readonly SlowCall[] {
    return this.#calls;
  }

  add(
    args: readonly Buffer[],
    microseconds: number,
    address: string,
    clientName: string,
    maxCalls: number,
  ): void {
    const call = {
      id: this.#nextId++,
      atMs: Date.now(),
      microseconds,
      args: shortened(args),
      address,
      clientName,
    };
    this.#calls.unshift(call);
    if (this.#calls.length > maxCalls) this.#calls.length = maxCalls;
  }

  clear(): void {
    this.#calls = [];
  }
}

/** At most 32 arguments of 128 bytes, with a word on what was left out, as Redis has it. */
const shortened = (args: readonly Buffer[]): Buffer[] => {
  const kept = args.length > maxArguments ? args.slice(0, maxArguments - 1) : args;
  const words = kept.map((arg) =>
    arg.length <= maxArgumentBytes
      ? Buffer.from(arg)
      : Buffer.concat([
          arg.subarray(0, maxArgumentBytes),
          Buffer.from(`... (${arg.length - maxArgumentBytes} more bytes)`),
        ]),
  );
  if (kept !== args) words.push(Buffer.from(`... (${args.length - kept.length} more arguments)`));
  return words;
};

const maxArguments = 32;
const maxArgumentBytes = 128;
