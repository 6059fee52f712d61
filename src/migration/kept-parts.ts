import type { MigrationOptions } from './migration-options.js';
import { type KeptPart, PartFiles } from './part-files.js';
import type { SourceRun } from './source-run.js';

/**
 * Keeps the parts that are read of a server until they are in the target, so that a process that is started again need not
 * read them twice. What was not durable at the source when it was read is good for nothing once that has been restarted: with
 * each part stands of which run it is.
 */
export class KeptParts {
  readonly #files: PartFiles;
  readonly #source: SourceRun;
  /** The source's run when something was last read of it. */
  #run: string | undefined;

  /**
   * @param form what tells parts that are packed in another way from these
   * @returns undefined for a source that is read at no cost
   */
  static of(
    { source, sourceRun, namespaces, stateFile, logger }: MigrationOptions,
    form: string,
  ): KeptParts | undefined {
    if (sourceRun === undefined) return undefined;
    const owner = JSON.stringify([source, namespaces ?? null, form]);
    return new KeptParts(new PartFiles(stateFile.path, owner, logger), sourceRun);
  }

  private constructor(files: PartFiles, source: SourceRun) {
    this.#files = files;
    this.#source = source;
  }

  /** Finds what an earlier process has left, if it is to be gone on with. */
  start(isGoingOn: boolean): void {
    if (isGoingOn) this.#files.load();
    else this.#files.clear();
  }

  /** All keys are copied. */
  clear(): void {
    this.#files.clear();
  }

  /**
   * What an earlier process has read behind `after`, when the log has not come further than that by now; everything in it is
   * durable at the source. @throws TailraceError `SOURCE_UNREACHABLE`
   */
  async take(
    after: Uint8Array | undefined,
    logSequence: number,
    signal: AbortSignal,
  ): Promise<KeptPart | undefined> {
    const part = this.#files.take(after, logSequence);
    // The run is named before anything is read of it.
    if (part === undefined) this.#run ??= await this.#source.name(signal);
    else if (part.run === undefined || (await this.#source.hasMadeDurable(part.run, part.high, signal)))
      return part;
    return undefined;
  }

  /** Resolves when the part that was just read is kept. @throws TailraceError `SOURCE_UNREACHABLE` */
  async keep(part: Omit<KeptPart, 'run'>, isDurable: boolean, signal: AbortSignal): Promise<void> {
    if (isDurable) {
      await this.#files.keep({ ...part, run: undefined });
      return;
    }
    const before = this.#run;
    this.#run = await this.#source.name(signal);
    // When there were two, nobody knows of which of them it is.
    if (this.#run !== undefined && this.#run === before) await this.#files.keep({ ...part, run: before });
  }
}
