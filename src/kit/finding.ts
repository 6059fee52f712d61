/** Something that a source or sink found out about the place it works with. */
export interface Finding {
  /** What was looked at, in a word or two: `connection`, `version`, `permissions`, `retention` … */
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  /** What was found; never secrets. */
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
}
