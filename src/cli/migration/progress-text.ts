/** A bar with the share of what is done, 0 to 1. */
export const progressBar = (share: number): string => {
  const done = Math.min(1, share);
  const filled = Math.round(done * barWidth);
  return `[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}] ${Math.floor(done * 100)}%`;
};

export const timeLeft = (keys: number, keysPerSecond: number): string =>
  `about ${formatWait(keys / keysPerSecond)} left`;

const formatWait = (seconds: number): string => {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

const barWidth = 24;
