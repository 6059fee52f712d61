import { readFileSync } from 'node:fs';

const fieldOf = (file: string, pattern: RegExp): number =>
  Number(pattern.exec(readFileSync(file, 'utf8'))?.[1] ?? Number.NaN);

/** Resident memory of a process, in bytes. */
export const residentBytes = (pid: number | 'self' = 'self'): number =>
  fieldOf(`/proc/${pid}/status`, /VmRSS:\s+(\d+) kB/) * 1024;

/** The most that this process has ever had in memory, in bytes. */
export const peakResidentBytes = (): number => fieldOf('/proc/self/status', /VmHWM:\s+(\d+) kB/) * 1024;

/** Bytes that this process has given to the system to write, whatever became of them. */
export const writtenBytes = (): number => fieldOf('/proc/self/io', /wchar: (\d+)/);
