import type { Run } from '../space/index.js';

/** Where what writes pages takes units from, and gives back those that the newest state no longer uses. */
export interface UnitSource {
  /** One run. @throws `SPACE_EXHAUSTED` */
  take(units: number): Run;
  /** One run, or several. @throws `SPACE_EXHAUSTED` */
  takeSpread(units: number): readonly Run[];
  /** One run of `most` units, or a shorter one. @throws `SPACE_EXHAUSTED` */
  takeUpTo(most: number): Run;
  release(start: number, length: number): void;
}
