import { existsSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Engine, type EngineOptions } from '../../src/engine/index.js';
import { Server } from '../../src/server/index.js';
import { type RedisService, startRedis, throwAwayDirectory } from '../services/index.js';
import type { ProgramResult } from './run-program.js';
import { runTailrace } from './tailrace-program.js';

/** What `verify --json` found. */
export interface VerifiedReport {
  readonly named: readonly { readonly ns: string; readonly key: string; readonly kind: string }[];
  readonly [count: string]: unknown;
}

/** The report of `verify --json`: the last line, behind those that tell how it gets on. */
export const reportIn = (stdout: string): VerifiedReport =>
  JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as VerifiedReport;

/** A tailrace in this process that data are copied from, a real Redis that they go to, and clients of both. */
export class MigrationEnds implements AsyncDisposable {
  /** Folder of the store and of the state files; removed in the end. */
  readonly directory: string;
  readonly redis: RedisService;
  readonly server: Server;
  readonly source: Redis;
  readonly target: Redis;
  readonly #password: string;
  readonly engine: Engine;
  readonly #remove: () => void;

  /** @param password that the source demands; none when empty */
  static async open(
    name: string,
    password = '',
    redisSettings: readonly string[] = [],
    engineOptions: EngineOptions = {},
  ): Promise<MigrationEnds> {
    const directory = throwAwayDirectory(name);
    const redis = await startRedis(redisSettings);
    const engine = await Engine.open(join(directory.path, 'store'), { sync: 'none', ...engineOptions });
    const server = await Server.listen(engine, { port: 0, ...(password === '' ? {} : { password }) });
    return new MigrationEnds(directory, redis, engine, server, password);
  }

  private constructor(
    directory: ReturnType<typeof throwAwayDirectory>,
    redis: RedisService,
    engine: Engine,
    server: Server,
    password: string,
  ) {
    this.directory = directory.path;
    this.#remove = directory.remove;
    this.redis = redis;
    this.server = server;
    this.engine = engine;
    this.#password = password;
    this.source = new Redis(server.port, password === '' ? {} : { password });
    this.target = new Redis(redis.port);
  }

  get sourceUrl(): string {
    return `redis://${this.#password === '' ? '' : `:${this.#password}@`}127.0.0.1:${this.server.port}`;
  }

  get stateFile(): string {
    return join(this.directory, 'state.json');
  }

  /** Empties the Redis and forgets what was copied. */
  async reset(): Promise<void> {
    await this.target.flushall();
    for (const path of [this.stateFile, `${this.stateFile}.excluded`]) if (existsSync(path)) unlinkSync(path);
  }

  /** How often the source has been asked by a command. */
  async callsOf(command: string): Promise<number> {
    const calls = new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(
      await this.source.info('commandstats'),
    );
    return Number(calls?.[1] ?? 0);
  }

  /** `tailrace migrate | verify | cutover` from the one to the other. */
  run(command: string, ...words: readonly string[]): Promise<ProgramResult> {
    return this.runBetween(this.sourceUrl, this.redis.url, command, ...words);
  }

  runBetween(from: string, to: string, command: string, ...words: readonly string[]): Promise<ProgramResult> {
    return runTailrace(...this.words(from, to, command), ...words);
  }

  /** The command's words, with the state file of these ends where it takes one. */
  words(from: string, to: string, command: string): string[] {
    const state = command === 'verify' ? [] : ['--state', this.stateFile];
    return [command, '--from', from, '--to', to, ...state];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.source.disconnect();
    this.target.disconnect();
    await this.server.close();
    await this.engine.close();
    await this.redis.stop();
    this.#remove();
  }
}
