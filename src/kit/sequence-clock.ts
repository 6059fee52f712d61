/**
 * Remembers when the source was first seen at which sequence number, so that a lag in sequence numbers can be told in
 * time; the log itself carries none. Changes from before the start count from the start. Bounded: older notes are
 * thinned out, which costs precision where the lag is long.
 */
export class SequenceClock {
  readonly #maxNotes: number;
  #notes: { readonly sequence: number; readonly atMs: number }[] = [];

  constructor(maxNotes = 512) {
    this.#maxNotes = maxNotes;
  }

  /** The source's newest sequence number is this one. */
  note(sequence: number, nowMs: number): void {
    const last = this.#notes.at(-1);
    if (last !== undefined && sequence <= last.sequence) return;
    this.#notes.push({ sequence, atMs: nowMs });
    if (this.#notes.length > this.#maxNotes)
      this.#notes = this.#notes.filter((_, at) => at % 2 === 1 || at > this.#maxNotes / 2);
  }

  /** For how long there has been something behind `sequence`, in ms; 0 = it is the newest. */
  lagMs(sequence: number, nowMs: number): number {
    let low = 0;
    let high = this.#notes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#notes[middle].sequence <= sequence) low = middle + 1;
      else high = middle;
    }
    return low === this.#notes.length ? 0 : Math.max(0, nowMs - this.#notes[low].atMs);
  }
}
