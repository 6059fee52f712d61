import { spawn } from 'node:child_process';

export interface ProgramResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end without blocking this process, which may be the server that it talks to. */
export const runProgram = (
  command: string,
  parameters: readonly string[],
  input: string | Uint8Array = '',
): Promise<ProgramResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, parameters);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => undefined); // the program may end before it has read everything
    child.once('error', reject);
    child.once('close', (status) =>
      resolve({ status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    );
    child.stdin.end(input);
  });
