/** Longest time that a timer of Node.js takes, in ms; a longer one fires at once. */
export const longestTimerMs = 2 ** 31 - 1;

/** Ends the wait of a blocked command; undefined for a wait without end: that of 0 ms, or of more than a timer takes. */
export const startTimeout = (timeoutMs: number, timeOut: () => void): NodeJS.Timeout | undefined =>
  timeoutMs > 0 && timeoutMs <= longestTimerMs ? setTimeout(timeOut, timeoutMs) : undefined;
