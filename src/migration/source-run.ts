import { setTimeout as delay } from 'node:timers/promises';
import type { ServerConnection } from './server-connection.js';

/**
 * Tells one run of a server's process from the next: what was read of the one and was not yet durable is perhaps unknown to the
 * other.
 */
export class SourceRun {
  readonly #connection: ServerConnection;

  /** @param connection stays its owner's */
  constructor(connection: ServerConnection) {
    this.#connection = connection;
  }

  /** A name of the run; undefined where the server does not tell. @throws TailraceError `SOURCE_UNREACHABLE` */
  async name(signal: AbortSignal): Promise<string | undefined> {
    return nameIn(String(await this.#connection.call(signal, 'INFO', 'server')));
  }

  /**
   * Waits until everything up to `sequence` is durable there; false when another run answers, to which it may be unknown.
   * @throws TailraceError `SOURCE_UNREACHABLE`
   */
  async hasMadeDurable(run: string, sequence: number, signal: AbortSignal): Promise<boolean> {
    for (let pauseMs = 1; ; pauseMs = Math.min(50, pauseMs * 2)) {
      const [info, durable] = await this.#connection.callAll(signal, [['INFO', 'server'], ['SEQUENCE']]);
      const now = nameIn(String(info));
      if (now === undefined || !isSameRun(run, now)) return false;
      // A Kvrocks does not know the command: what it shows is in its log, which outlives the process.
      if (typeof durable !== 'number' || durable >= sequence) return true;
      await delay(pauseMs, undefined, { signal });
    }
  }
}

/** By the id that a run has, or by the process and the second of its start. */
const nameIn = (info: string): string | undefined => {
  const number = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
  const id = /^run_id:([0-9a-f]+)/m.exec(info)?.[1];
  if (id !== undefined) return id;
  const [process, upSeconds] = [number('process_id'), number('uptime_in_seconds')];
  if (Number.isNaN(process) || Number.isNaN(upSeconds)) return undefined;
  return `${process}@${Math.floor(Date.now() / 1000) - upSeconds}`;
};

/** The second of the start is known to one or two. */
const isSameRun = (one: string, other: string): boolean => {
  if (one === other) return true;
  const [[process, start], [otherProcess, otherStart]] = [one.split('@'), other.split('@')];
  return process === otherProcess && Math.abs(Number(start) - Number(otherStart)) <= 2;
};
