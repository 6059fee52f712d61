import process from 'node:process';
import type { Logger } from '../kit/index.js';
import { inOneLine } from './control-characters.js';
import { redactFacts, redactText } from './redact.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** What the global options say about output. */
export interface OutputOptions {
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  readonly logLevel: LogLevel;
}

/** A logger that writes lines to standard error: text for people, JSON objects with `--json`. Never secrets. */
export const consoleLogger = ({ isJson, isQuiet, logLevel }: OutputOptions): Logger => {
  const lowest = logLevels.indexOf(isQuiet ? 'error' : logLevel);
  const write = (level: LogLevel, message: string, facts: Readonly<Record<string, unknown>> = {}): void => {
    if (logLevels.indexOf(level) < lowest) return;
    clearLiveLine();
    const shown = redactFacts(facts);
    const said = redactText(message);
    if (isJson) {
      process.stderr.write(
        `${JSON.stringify({ time: new Date().toISOString(), level, message: said, ...shown })}\n`,
      );
      return;
    }
    const details = Object.entries(shown).map(([name, value]) => ` ${name}=${printable(value)}`);
    process.stderr.write(
      `${new Date().toISOString()} ${level.padEnd(5)} ${inOneLine(said)}${details.join('')}\n`,
    );
  };
  return {
    debug: (message, facts) => write('debug', message, facts),
    info: (message, facts) => write('info', message, facts),
    warn: (message, facts) => write('warn', message, facts),
    error: (message, facts) => write('error', message, facts),
  };
};

const printable = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // JSON leaves some control characters as they are.
  return /[\s"\p{Cc}]/u.test(text) ? inOneLine(JSON.stringify(text)) : text;
};

let hasLiveLine = false;

const clearLiveLine = (): void => {
  if (hasLiveLine) process.stderr.write('\r\x1b[2K');
  hasLiveLine = false;
};

/** Shows progress: one line that changes on a terminal, a plain line now and then elsewhere. */
export class Progress {
  readonly #isLive: boolean;
  readonly #isShown: boolean;
  readonly #plainIntervalMs: number;
  #lastPlainMs = 0;
  #lastLine = '';

  constructor({ isJson, isQuiet }: OutputOptions, plainIntervalMs = 5_000) {
    this.#isShown = !isQuiet && !isJson;
    this.#isLive = process.stderr.isTTY === true;
    this.#plainIntervalMs = plainIntervalMs;
  }

  show(figures: string): void {
    if (!this.#isShown) return;
    const line = inOneLine(figures);
    if (this.#isLive) {
      process.stderr.write(`\r\x1b[2K${line.slice(0, (process.stderr.columns || 120) - 1)}`);
      hasLiveLine = true;
      return;
    }
    if (line === this.#lastLine) return; // an idle night is not worth a line every few seconds
    const now = performance.now();
    if (this.#lastPlainMs !== 0 && now - this.#lastPlainMs < this.#plainIntervalMs) return;
    this.#lastPlainMs = now;
    this.#lastLine = line;
    process.stderr.write(`${line}\n`);
  }

  /** Takes the line that changes away. */
  clear(): void {
    clearLiveLine();
  }

  /** Shows a last line that stays, unless it stands there already. */
  finish(line: string): void {
    clearLiveLine();
    if (this.#isShown && line !== this.#lastLine) process.stderr.write(`${line}\n`);
  }
}

/** Rows as columns for people. */
export const formatTable = (
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string => {
  const cells = [head, ...rows.map((row) => row.map((cell) => inOneLine(String(cell))))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

export const formatCount = (value: number): string => value.toLocaleString('en-US');

/** `1 key`, `2,000 keys`. */
export const counted = (value: number, one: string, several = `${one}s`): string =>
  `${formatCount(value)} ${value === 1 ? one : several}`;

export const formatBytes = (bytes: number): string => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
};
