/**
 * The schema of a pipeline file, apart from the options of sources and sinks, which their definitions bring. It is the
 * one source of truth: validation, defaults, types, the JSON Schema and the table in the docs are made from it.
 */
export interface PipelineSettings {
  readonly name: string;
  readonly startAt: 'beginning' | 'latest';
  readonly errors: { readonly undecodable: ErrorPolicy; readonly poison: ErrorPolicy };
  readonly deadLetters: { readonly path: string };
  readonly offsets: { readonly path: string };
  readonly limits: {
    readonly creditBytes: number;
    readonly batchChanges: number;
    readonly batchBytes: number;
  };
  readonly retry: { readonly initial: number; readonly max: number; readonly giveUpAfter: number };
  readonly drainTimeout: number;
}

export type ErrorPolicy = 'fail' | 'skip' | 'dead-letter';

export interface FilterSettings {
  readonly keys: readonly string[];
  readonly excludeKeys: readonly string[];
  readonly namespaces: readonly string[];
  readonly types: readonly string[];
  readonly ops: readonly string[];
}

const policies = ['fail', 'skip', 'dead-letter'];

export const pipelineSchema = {
  name: {
    doc: 'unique name of the pipeline; positions are kept under it',
    format: 'required-string',
    default: '',
  },
  startAt: {
    doc: 'where to start when no sink has a position yet',
    format: ['beginning', 'latest'],
    default: 'beginning',
  },
  errors: {
    undecodable: { doc: 'what to do with changes that cannot be decoded', format: policies, default: 'fail' },
    poison: {
      doc: 'what to do with changes that a sink refuses for good',
      format: policies,
      default: 'fail',
    },
  },
  deadLetters: {
    path: {
      doc: 'file that dead letters are appended to, as lines of JSON',
      format: String,
      default: 'dead-letters.ndjson',
    },
  },
  offsets: {
    path: {
      doc: 'file of the positions of sinks that cannot hold theirs',
      format: String,
      default: 'tailrace-offsets.json',
    },
  },
  limits: {
    creditBytes: {
      doc: 'memory for changes between the source and the slowest sink, at most',
      format: 'byte-size',
      default: 4 * 1024 * 1024,
    },
    batchChanges: {
      doc: 'changes in one write to a sink, at most',
      format: 'positive-integer',
      default: 10_000,
    },
    batchBytes: {
      doc: 'bytes in one write to a sink, at most',
      format: 'byte-size',
      default: 8 * 1024 * 1024,
    },
  },
  retry: {
    initial: {
      doc: 'longest pause before the first new try; it doubles with each failure',
      format: 'duration',
      default: 50,
    },
    max: { doc: 'longest pause between tries', format: 'duration', default: 10_000 },
    giveUpAfter: {
      doc: 'when a failure that goes on ends the pipeline; 0 = never',
      format: 'duration',
      default: 0,
    },
  },
  drainTimeout: { doc: 'how long a stop waits for what is in flight', format: 'duration', default: 30_000 },
} as const;

export const filterSchema = {
  keys: { doc: 'only keys that match one of these globs', format: 'string-list', default: [] as string[] },
  excludeKeys: {
    doc: 'no keys that match one of these globs',
    format: 'string-list',
    default: [] as string[],
  },
  namespaces: { doc: 'only these namespaces', format: 'string-list', default: [] as string[] },
  types: { doc: 'only these types, such as string and hash', format: 'string-list', default: [] as string[] },
  ops: {
    doc: 'only these operations, such as put and delete',
    format: 'string-list',
    default: [] as string[],
  },
};
