import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { program } from '../support/tailrace-program.js';

/**
 * `tailrace …` as a process that a test kills and starts again. It must never end by itself before `stop`: if it does,
 * `failure` holds what it said.
 */
export class TailraceProcess {
  failure: string | undefined;
  kills = 0;
  readonly #parameters: readonly string[];
  readonly #cwd: string;
  #child: ChildProcess | undefined;
  /** Until the process has ended and all that it said has been read. */
  #closed: Promise<unknown> = Promise.resolve();
  #isExpectedToEnd = false;
  #output = '';
  #told = '';

  constructor(parameters: readonly string[], cwd: string) {
    this.#parameters = parameters;
    this.#cwd = cwd;
  }

  start(): void {
    this.#isExpectedToEnd = false;
    const child = spawn(process.execPath, [program, ...this.#parameters], {
      cwd: this.#cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#output = '';
    this.#told = '';
    child.stdout.on('data', (chunk: Buffer) => {
      this.#told = (this.#told + chunk.toString()).slice(-4000);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-4000);
    });
    child.once('close', (code, signal) => {
      if (!this.#isExpectedToEnd)
        this.failure = `tailrace ${this.#parameters.join(' ')} ended with ${code ?? signal}:\n${this.#output}`;
    });
    this.#child = child;
    this.#closed = once(child, 'close');
  }

  /** Ends it at once, wherever it is, and starts it again. */
  async killAndRestart(): Promise<void> {
    await this.#end('SIGKILL');
    this.kills++;
    this.start();
  }

  /** Stops it where it stands, as if the machine had stopped, until `thaw`. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** The last of what it said on standard error since it was started. */
  get said(): string {
    return this.#output;
  }

  /** The last of what it wrote to standard output since it was started. */
  get told(): string {
    return this.#told;
  }

  /** What it ended with; undefined while it runs, null when a signal ended it. */
  get exitCode(): number | null | undefined {
    return this.#child?.exitCode;
  }

  /** Waits until it ends by itself, which counts as no failure; resolves to what it said on standard error. */
  async ended(): Promise<string> {
    this.#isExpectedToEnd = true;
    await this.#closed;
    return this.#output;
  }

  /** Asks it to stop; resolves to its exit code. */
  stop(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  /** As Ctrl-C does. */
  interrupt(): Promise<number | null> {
    return this.#end('SIGINT');
  }

  kill(): Promise<number | null> {
    return this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    this.#isExpectedToEnd = true;
    this.#child?.kill(signal);
    await this.#closed;
    return this.#child?.exitCode ?? null;
  }
}
