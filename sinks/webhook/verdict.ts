/** What an answer means for the events that were posted. */
export type Verdict =
  | { readonly kind: 'delivered' }
  /** The same again later. */
  | { readonly kind: 'later'; readonly reason: string; readonly afterMs: number | undefined }
  /** Too much at a time. */
  | { readonly kind: 'too large'; readonly reason: string }
  /** The receiver does not want these events. */
  | { readonly kind: 'unwanted'; readonly reason: string }
  /** The request itself is wrong, whatever it carries: somebody must change the configuration or the receiver. */
  | { readonly kind: 'refused'; readonly reason: string; readonly isForbidden: boolean };

/** @param excerpt what the answer said, shortened */
export const verdictOf = (
  status: number,
  headers: { get(name: string): string | null },
  excerpt: string,
): Verdict => {
  const reason = excerpt === '' ? `it answered ${status}` : `it answered ${status}: ${excerpt}`;
  if ((status >= 200 && status < 300) || status === 409) return { kind: 'delivered' };
  if (status >= 500 || laterStatuses.has(status))
    return { kind: 'later', reason, afterMs: retryAfterMs(headers.get('retry-after'), Date.now()) };
  if (status === 413) return { kind: 'too large', reason };
  if (status === 400 || status === 422) return { kind: 'unwanted', reason };
  if (status >= 300 && status < 400) {
    const location = headers.get('location') ?? 'elsewhere';
    return { kind: 'refused', reason: `it redirects (${status}) to ${location}`, isForbidden: false };
  }
  return { kind: 'refused', reason, isForbidden: forbiddenStatuses.has(status) };
};

/** Seconds, or a date; undefined for neither. At most an hour, so that a receiver cannot stop a pipeline for good. */
export const retryAfterMs = (text: string | null, nowMs: number): number | undefined => {
  if (text === null) return undefined;
  const ms = /^\s*\d+\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), longestPauseMs);
};

/** Request timeout, too early, too many requests. */
const laterStatuses: ReadonlySet<number> = new Set([408, 425, 429]);
const forbiddenStatuses: ReadonlySet<number> = new Set([401, 403, 407]);
const longestPauseMs = 3_600_000;
