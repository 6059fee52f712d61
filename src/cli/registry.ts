import type { Registry } from '../../config/index.js';
import { engineSource } from '../../connectors/engine/index.js';
import { fileSource } from '../../connectors/file/index.js';
import { kvrocksSource } from '../../connectors/kvrocks/index.js';
import { walSource } from '../../connectors/wal/index.js';
import { fileSink } from '../../sinks/file/index.js';
import { kafkaSink } from '../../sinks/kafka/index.js';
import { kvrocksSink } from '../../sinks/kvrocks/index.js';
import { postgresSink } from '../../sinks/postgres/index.js';
import { redisSink } from '../../sinks/redis/index.js';
import { stdoutSink } from '../../sinks/stdout/index.js';
import { webhookSink } from '../../sinks/webhook/index.js';
import type { SinkDefinition, SourceDefinition } from '../kit/index.js';

const byName = <Definition extends { readonly name: string }>(
  definitions: readonly unknown[],
): ReadonlyMap<string, Definition> =>
  new Map((definitions as readonly Definition[]).map((definition) => [definition.name, definition]));

/** The sources and sinks that come with the package. */
export const builtIn: Registry = {
  sources: byName<SourceDefinition<unknown>>([engineSource, fileSource, kvrocksSource, walSource]),
  sinks: byName<SinkDefinition<unknown>>([
    fileSink,
    kafkaSink,
    postgresSink,
    kvrocksSink,
    redisSink,
    stdoutSink,
    webhookSink,
  ]),
};
