import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { createSink, createSource, type GivenOptions } from '../../config/index.js';
import { FileSink, fileSink } from '../../sinks/file/index.js';
import { type KafkaSinkOptions, kafkaSink } from '../../sinks/kafka/index.js';
import { redisSink } from '../../sinks/redis/index.js';
import { builtIn } from '../../src/cli/registry.js';
import { isTailraceError } from '../../src/errors/index.js';
import * as library from '../../src/index.js';
import type { SinkDefinition } from '../../src/kit/index.js';
import { throwAwayDirectory } from '../services/index.js';
import { pluginContext } from '../support/plugin-context.js';

const context = pluginContext('plugin-options');
const pem = (name: string): string =>
  readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), 'utf8');

/** A sink that only shows what options it was made with. */
const probe: SinkDefinition<KafkaSinkOptions> = {
  ...kafkaSink,
  create: (options) => {
    throw Object.assign(new Error('made'), { options });
  },
};

const madeWith = async (given: GivenOptions<KafkaSinkOptions>): Promise<unknown> => {
  const error: unknown = await createSink(probe, given, context).catch((caught: unknown) => caught);
  return error instanceof Error && 'options' in error ? error.options : error;
};

describe('sinks and sources made by a program', () => {
  it('have the defaults of a pipeline file, in sections too', async () => {
    const given = { brokers: ['127.0.0.1:9092'], topics: { partitions: 6 }, headers: undefined };
    expect(await madeWith(given)).toMatchObject({
      brokers: ['127.0.0.1:9092'],
      delivery: 'exactly-once',
      topic: 'cdc.{namespace}',
      topics: { create: true, partitions: 6, config: {} },
      headers: {},
      requestTimeout: 30_000,
    });
  });

  it('are made as the class makes them', async () => {
    const directory = throwAwayDirectory('plugin-options');
    try {
      await using sink = await createSink(fileSink, { path: join(directory.path, 'out.ndjson') }, context);
      expect(sink).toBeInstanceOf(FileSink);
      expect((await sink.claim(new AbortController().signal)).position).toBeNull();
    } finally {
      directory.remove();
    }
  });

  it('name every problem of their options at once', async () => {
    const wrong = { brokers: [], topik: 'x', topics: { partitions: -1 } };
    const error = await madeWith(wrong as GivenOptions<KafkaSinkOptions>);
    expect(isTailraceError(error, 'CONFIG_INVALID')).toBe(true);
    expect(String(error)).toContain('kafka.topik: unknown key (did you mean "topic"?)');
    expect(String(error)).toContain('kafka.brokers: must be a list of brokers as host:port');
    expect(String(error)).toContain('kafka.topics.partitions: must be a whole number');
  });

  it('are refused when half of what keeps a connection secret is set', async () => {
    const brokers = ['127.0.0.1:9092'];
    for (const [half, told] of [
      [{ tls: { ca: 'PEM' } }, 'tls.ca is set, but tls.enabled is not'],
      [{ tls: { enabled: true, ca: '/etc/ca.pem' } }, 'tls.ca is no text in PEM format'],
      [{ tls: { enabled: true, cert: pem('client.pem') } }, 'of tls.cert and tls.key one is missing'],
      [{ tls: { enabled: true, cert: pem('client.pem'), key: pem('server.key') } }, 'tls cannot be used: '],
      [{ sasl: { username: 'ada', password: 'x' } }, 'no mechanism: nobody would log in'],
      [{ sasl: { mechanism: 'plain' } }, 'sasl.username is not set'],
    ] as const)
      await expect(createSink(kafkaSink, { brokers, ...half }, context)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(told),
      });
    await expect(
      createSink(redisSink, { url: 'redis://h', nodes: ['redis://other'] }, context),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID', remedy: expect.stringContaining('cluster: true') });
  });

  it('are typed by their definition', () => {
    expectTypeOf<GivenOptions<KafkaSinkOptions>['delivery']>().toEqualTypeOf<
      'exactly-once' | 'at-least-once' | undefined
    >();
    expectTypeOf<{ brokers: readonly string[]; topics: { create: false } }>().toExtend<
      GivenOptions<KafkaSinkOptions>
    >();
    expectTypeOf<{ brokers: string }>().not.toExtend<GivenOptions<KafkaSinkOptions>>();
  });

  it('can all be had from the library by name', () => {
    const exported: ReadonlySet<unknown> = new Set(Object.values(library));
    for (const [name, definition] of [...builtIn.sources, ...builtIn.sinks])
      expect([name, exported.has(definition)]).toEqual([name, true]);
    const { walSource } = library;
    expect(createSource(walSource, { path: '/nowhere' }, context)).toBeInstanceOf(library.WalSource);
  });
});
