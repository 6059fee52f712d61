import type { PipelineStatus } from '../pipeline/index.js';

/** What the admin server needs of a pipeline. `Pipeline` implements it. */
export interface AdministeredPipeline {
  status(): PipelineStatus;
  /** Delivers what is in flight, then holds still. */
  pause(): void;
  /** Goes on; failed sinks are tried again. */
  resume(): void;
  /** Delivers what is in flight and ends. */
  stop(): void;
}

/** The answer of `/status`. */
export interface AdminStatus {
  readonly version: string;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly memoryBytes: number;
  readonly pipelines: readonly PipelineStatus[];
}
