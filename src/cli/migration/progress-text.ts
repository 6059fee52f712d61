import process from 'node:process';

/**
 * A bar with the share of what is done, 0 to 1; shorter, or left out, where the terminal has no room for it and the figures
 * behind it.
 */
export const progressBar = (share: number, columns = process.stderr.columns || 120): string => {
  const done = Math.min(1, share);
  const percent = `${Math.floor(done * 100)}%`;
  const width = columns >= 100 ? 24 : columns >= 72 ? 8 : 0;
  if (width === 0) return percent;
  const filled = Math.round(done * width);
  return `[${'='.repeat(filled)}${' '.repeat(width - filled)}] ${percent}`;
};

export const timeLeft = (keys: number, keysPerSecond: number): string =>
  `about ${formatWait(keys / keysPerSecond)} left`;

const formatWait = (seconds: number): string => {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};
