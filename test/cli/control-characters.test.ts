import process from 'node:process';
import { expect, it, vi } from 'vitest';
import { consoleLogger, formatTable, Progress } from '../../src/cli/console.js';
import { withoutControls } from '../../src/cli/control-characters.js';
import { reportError } from '../../src/cli/exit.js';
import { TailraceError } from '../../src/errors/index.js';

const output = { isJson: false, isQuiet: false, logLevel: 'info' } as const;
const name = 'p\x1b[2J\nq\x9b1mr';

it('shows control characters of text from elsewhere in hexadecimal', () => {
  expect(withoutControls('a\x1b[31m\tb\nc')).toBe('a\\x1b[31m\tb\nc');
  expect(formatTable(['PIPELINE', 'N'], [[name, 1]])).toBe(
    'PIPELINE              N\np\\x1b[2J\\x0aq\\x9b1mr  1',
  );
});

it('lets no name command the terminal or forge a line of the log', () => {
  const written: string[] = [];
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  try {
    consoleLogger(output).warn(`pipeline ${name} waits`, { pipeline: name });
    new Progress(output).show(`waiting for ${name}`);
    reportError(new TailraceError('SINK_FAILED', `pipeline ${name} failed`), false);
  } finally {
    spy.mockRestore();
  }
  const [logged, shown, failed] = written;
  expect(logged).toMatch(/pipeline p\\x1b\[2J\\x0aq\\x9b1mr waits pipeline="p\\u001b\[2J\\nq\\x9b1mr"\n$/);
  expect(shown).toBe('waiting for p\\x1b[2J\\x0aq\\x9b1mr\n');
  expect(failed).toContain('pipeline p\\x1b[2J\nq\\x9b1mr failed');
});
