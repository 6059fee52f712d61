/**
 * The schema of a pipeline file, apart from the options of sources and sinks, which their definitions bring. It is the
 * one source of truth: validation, defaults, types, the JSON Schema and the table in the docs are made from it.
 */
export interface PipelineSettings {
  readonly name: string;
  readonly startAt: 'beginning' | 'latest';
  readonly errors: {
    readonly undecodable: ErrorPolicy;
    readonly poison: ErrorPolicy;
    readonly sink: 'isolate' | 'stop';
  };
  readonly deadLetters: { readonly path: string; readonly url: string; readonly stream: string };
  readonly offsets: {
    readonly store: 'file' | 'redis' | 'postgres';
    readonly path: string;
    readonly url: string;
    readonly name: string;
    readonly lease: number;
  };
  readonly limits: {
    readonly creditBytes: number;
    readonly sharedBytes: number;
    readonly batchChanges: number;
    readonly batchBytes: number;
  };
  readonly retry: { readonly initial: number; readonly max: number; readonly giveUpAfter: number };
  readonly heartbeat: number;
  readonly drainTimeout: number;
  readonly admin: { readonly listen: string };
}

export type ErrorPolicy = 'fail' | 'skip' | 'dead-letter';

const policies = ['fail', 'skip', 'dead-letter'];

/** Settings of a pipeline as a whole, each with what its documentation says and its default. */
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
    sink: {
      doc: 'when a sink fails for good: `isolate` lets the others go on, `stop` stops the pipeline',
      format: ['isolate', 'stop'],
      default: 'isolate',
    },
  },
  deadLetters: {
    path: {
      doc: 'file that dead letters are appended to, as lines of JSON',
      format: 'required-string',
      default: 'dead-letters.ndjson',
    },
    url: {
      doc: 'redis://… of a Redis whose stream takes the dead letters instead of a file',
      format: String,
      default: '',
      sensitive: true,
    },
    sink: {
      doc: 'a sink with its options that takes the dead letters instead, such as a Kafka topic',
      format: 'map',
      default: {},
    },
    stream: {
      doc: 'key of that stream',
      format: 'required-string',
      default: 'tailrace:{pipeline}:dead-letters',
    },
  },
  offsets: {
    store: {
      doc: 'where the positions are kept of sinks that cannot hold theirs, and who runs the pipeline',
      format: ['file', 'redis', 'postgres'],
      default: 'file',
    },
    path: {
      doc: 'store file: directory with a file for each pipeline',
      format: 'required-string',
      default: 'tailrace-offsets',
    },
    url: {
      doc: 'stores redis and postgres: redis://… or postgres://…',
      format: String,
      default: '',
      sensitive: true,
    },
    name: {
      doc: 'store redis: what its keys start with; store postgres: its table',
      format: 'required-string',
      default: 'tailrace_offsets',
    },
    lease: {
      doc: 'stores redis and postgres: how long after its death a process still owns the pipeline',
      format: 'timeout',
      default: 10_000,
    },
  },
  limits: {
    creditBytes: {
      doc: 'memory for changes on the way to each sink, at most; 0 = what suits the sink (4 MiB, postgres 8 MiB)',
      format: 'byte-limit',
      default: 0,
    },
    sharedBytes: {
      doc: 'memory for what several sinks read together; a sink further behind reads the source by itself',
      format: 'byte-size',
      default: 4 * 1024 * 1024,
    },
    batchChanges: {
      doc: 'changes in one write to a sink, at most',
      format: 'positive-integer',
      default: 5_000,
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
      format: 'age',
      default: 0,
    },
  },
  heartbeat: {
    doc: 'how long the position of a sink may stand still while nothing of what comes is for it',
    format: 'duration',
    default: 1_000,
  },
  drainTimeout: { doc: 'how long a stop waits for what is in flight', format: 'duration', default: 30_000 },
  admin: {
    listen: {
      doc: 'host:port for health, metrics, status and the dashboard; empty = none',
      format: 'listen-address',
      default: '',
    },
  },
} as const;

/** What every sink has beside its own options. */
export interface SinkSettings {
  readonly name: string;
  readonly maxLag: number;
}

export const sinkSchema = {
  name: {
    doc: 'unique name within the pipeline; positions are kept under it (default: that of the sink)',
    format: String,
    default: '',
  },
  maxLag: {
    doc: 'sequence numbers that the sink may be behind and still hold the log of the source; 0 = any number',
    format: 'whole-number',
    default: 0,
  },
} as const;
