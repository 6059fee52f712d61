import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../bin/tailrace.js', import.meta.url));

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
  #isExpectedToEnd = false;

  constructor(parameters: readonly string[], cwd: string) {
    this.#parameters = parameters;
    this.#cwd = cwd;
  }

  start(): void {
    this.#isExpectedToEnd = false;
    const child = spawn(process.execPath, [program, ...this.#parameters], {
      cwd: this.#cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4000);
    });
    child.once('exit', (code, signal) => {
      if (!this.#isExpectedToEnd)
        this.failure = `tailrace ${this.#parameters.join(' ')} ended with ${code ?? signal}:\n${output}`;
    });
    this.#child = child;
  }

  /** Ends it at once, wherever it is, and starts it again. */
  async killAndRestart(): Promise<void> {
    await this.#end('SIGKILL');
    this.kills++;
    this.start();
  }

  /** Asks it to stop; resolves to its exit code. */
  stop(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  kill(): Promise<number | null> {
    return this.#end('SIGKILL');
  }

  #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    this.#isExpectedToEnd = true;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return Promise.resolve(child?.exitCode ?? null);
    return new Promise((resolve) => {
      child.once('exit', (code) => resolve(code));
      child.kill(signal);
    });
  }
}
