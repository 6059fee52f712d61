import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RespConnection } from '../../src/kit/index.js';
import { freePort, throwAwayDirectory } from '../services/index.js';
import type { SeededRandom } from '../support/seeded-random.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { waitUntil } from '../support/wait-until.js';
import type { CrashTarget } from './crash-target.js';
import { LoadWriter } from './load-writer.js';
import { readBatches, readState } from './source-truth.js';
import { TailraceProcess } from './tailrace-process.js';

/** How often what was struck. */
export interface CrashTally {
  /** kill -9 of `tailrace run`, which has the pipelines of all targets. */
  run: number;
  /** kill -9 of `tailrace serve`, the source. */
  serve: number;
  /** The hard end of a target's server. */
  servers: number;
  /** Lines cut between the runner and a target. */
  cuts: number;
  /** Lines that were silent for a while, then went on or were cut. */
  stalls: number;
}

/**
 * A source under load, a runner that delivers to every target, and faults: `tailrace serve` and `tailrace run` as
 * processes, real target servers, and a proxy before each. `strike` does some harm; `finish` ends the load, waits
 * until every target has everything and compares.
 */
export class CrashRun implements AsyncDisposable {
  readonly tally: CrashTally = { run: 0, serve: 0, servers: 0, cuts: 0, stalls: 0 };
  readonly runner: TailraceProcess;
  readonly load: LoadWriter;
  readonly #random: SeededRandom;
  readonly #targets: readonly CrashTarget[];
  readonly #proxies: readonly (TcpProxy | undefined)[];
  readonly #serve: TailraceProcess;
  readonly #port: number;
  readonly #directory: { readonly path: string; remove(): void };

  /** @param together name of one pipeline with a sink for each target; default a pipeline for each */
  static async start(
    targets: readonly CrashTarget[],
    random: SeededRandom,
    together?: string,
  ): Promise<CrashRun> {
    const directory = throwAwayDirectory('crash');
    const port = await freePort();
    const proxies: (TcpProxy | undefined)[] = [];
    for (const target of targets)
      proxies.push(
        target.port === undefined ? undefined : await TcpProxy.open(target.port, target.proxyPort),
      );
    const sinks = targets.map((target, at) => target.sinkEntry(proxies[at]?.port ?? 0));
    const common = {
      source: { connector: 'kvrocks', url: `redis://127.0.0.1:${port}` },
      retry: { max: '500ms' },
    };
    const pipelines =
      together === undefined
        ? targets.map(({ name }, at) => ({ ...common, name: `crash-${name}`, sinks: [sinks[at]] }))
        : // So little memory that sinks often fall behind each other.
          [{ ...common, name: together, sinks, limits: { sharedBytes: '32KiB', creditBytes: '32KiB' } }];
    writeFileSync(join(directory.path, 'pipelines.json'), JSON.stringify({ pipelines }));
    return new CrashRun(targets, proxies, directory, port, random);
  }

  private constructor(
    targets: readonly CrashTarget[],
    proxies: readonly (TcpProxy | undefined)[],
    directory: { readonly path: string; remove(): void },
    port: number,
    random: SeededRandom,
  ) {
    this.#targets = targets;
    this.#proxies = proxies;
    this.#directory = directory;
    this.#port = port;
    this.#random = random;
    const listen = ['--listen', `127.0.0.1:${port}`, '--sync', 'always'];
    this.#serve = new TailraceProcess(['serve', '--dir', this.#store, ...listen], directory.path);
    this.runner = this.makeRunner();
    this.load = new LoadWriter(port, random.fork());
    this.#serve.start();
    this.runner.start();
    this.load.start();
  }

  /** Another process for the same pipelines, not started yet. */
  makeRunner(): TailraceProcess {
    return new TailraceProcess(['run', 'pipelines.json'], this.#directory.path);
  }

  /** One fault, of a kind by chance. Resolves when what was killed is started again. */
  async strike(): Promise<void> {
    const random = this.#random;
    const at = random.below(this.#targets.length);
    const target = this.#targets[at];
    const proxy = this.#proxies[at] ?? (target.proxies && random.pick(target.proxies));
    const kind = random.next();
    if (kind < 0.15) {
      this.tally.serve++;
      await this.#serve.killAndRestart();
    } else if (kind < 0.25 && target.killAndRestart !== undefined) {
      this.tally.servers++;
      await target.killAndRestart();
    } else if (kind < 0.4 && proxy !== undefined) {
      this.tally.cuts++;
      if (random.next() < 0.5) {
        // The target answers, and its answer is lost.
        proxy.holdReplies();
        await delay(random.below(10));
      }
      proxy.cut();
      proxy.releaseReplies();
    } else if (kind < 0.5 && proxy !== undefined) {
      this.tally.stalls++;
      proxy.stall();
      await delay(random.below(500));
      if (random.next() < 0.5) proxy.cut();
      proxy.resume();
    } else {
      this.tally.run++;
      await this.runner.killAndRestart();
    }
    this.requireAlive();
  }

  /** Throws when a process ended that nobody ended. */
  requireAlive(runner = this.runner): void {
    const failure = runner.failure ?? this.#serve.failure;
    if (failure !== undefined) throw new Error(failure);
  }

  /** The sequence numbers that the targets have reached, lowest first. */
  async positions(): Promise<number[]> {
    const positions = await Promise.all(this.#targets.map((target) => target.position()));
    return positions.sort((a, b) => a - b);
  }

  /** Ends the load, waits until the targets hold everything, stops all, and compares. */
  async finish(runner = this.runner): Promise<void> {
    await this.load.stop();
    await waitUntil('the source answers', () => answers(this.#port)); // it may have been killed a moment ago
    const connection = await RespConnection.open({ host: '127.0.0.1', port: this.#port });
    const last = Number(await connection.call('SEQUENCE'));
    for (const [key, value] of this.load.acknowledged)
      if (Number(await connection.call('GET', key)) < value)
        throw new Error(`the source lost the acknowledged write ${value} of ${key}`);
    connection.close();
    for (const target of this.#targets) await this.#whenReached(target, last, runner);
    const state = await readState(this.#port);
    const codes = [await runner.stop(), await this.#serve.stop()];
    if (codes.some((code) => code !== 0)) throw new Error(`run and serve ended with ${codes.join(' and ')}`);
    const truth = { state, batches: await readBatches(this.#store) };
    for (const target of this.#targets)
      await target.verify(truth).catch((cause: unknown) => {
        throw new Error(`${target.name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
      });
  }

  /** As long as a target gets on it may take its time: after a thousand kills the backlog is long. */
  async #whenReached(target: CrashTarget, last: number, runner: TailraceProcess): Promise<void> {
    for (let reached = await target.position(); reached < last; ) {
      const before = reached;
      await waitUntil(
        `${target.name} gets on from ${before} of ${last}`,
        async () => {
          this.requireAlive(runner);
          reached = await target.position();
          return reached > before;
        },
        300_000,
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.load.stop();
    await this.runner.kill();
    await this.#serve.kill();
    for (const proxy of this.#proxies) await proxy?.[Symbol.asyncDispose]();
    this.#directory.remove();
  }

  get #store(): string {
    return join(this.#directory.path, 'store');
  }
}

const answers = (port: number): Promise<boolean> =>
  RespConnection.open({ host: '127.0.0.1', port }).then(
    (connection) => {
      connection.close();
      return true;
    },
    () => false,
  );

/** Starts the targets, strikes until the runner was killed `kills` times, and compares. */
export const crash = async (
  targets: readonly CrashTarget[],
  kills: number,
  random: SeededRandom,
  onStrike: (tally: CrashTally) => void = () => undefined,
  together?: string,
): Promise<{ readonly tally: CrashTally; readonly commands: number }> => {
  await using run = await CrashRun.start(targets, random, together);
  let seen = 0;
  while (run.tally.run < kills) {
    await delay(50 + random.below(500));
    // A fault strikes what is at work, however slow the machine is.
    await waitUntil('the source takes writes', () => run.load.commands > seen + 50);
    seen = run.load.commands;
    await run.strike();
    onStrike(run.tally);
  }
  await run.finish();
  return { tally: run.tally, commands: run.load.commands };
};
