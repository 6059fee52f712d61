import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaSinkOptions } from '../../../sinks/kafka/index.js';
import { KafkaSink } from '../../../sinks/kafka/kafka-sink.js';
import { SampleHistory } from '../../../src/kit/conformance/index.js';
import { isTailraceError } from '../../../src/kit/index.js';
import { freePort, type KafkaService, startKafka, throwAwayDirectory } from '../../services/index.js';
import { kafkaOptions } from '../../support/kafka-options.js';
import { pluginContext } from '../../support/plugin-context.js';
import { waitUntil } from '../../support/wait-until.js';

const { signal } = new AbortController();
const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
/** What waits for an answer in vain takes twice as long as what is refused at once may. */
const patience = { connectTimeout: 100_000, requestTimeout: 100_000 };
const atOnceMs = 50_000;

describe('a Kafka with users, rights and TLS', () => {
  let kafka: KafkaService;
  let ca = '';
  const directory = throwAwayDirectory('kafka-tls');
  const keyStore = join(directory.path, 'broker.p12');
  const sinks: KafkaSink[] = [];

  beforeAll(async () => {
    const store = [
      '-keystore',
      keyStore,
      '-storepass',
      'changeit',
      '-storetype',
      'PKCS12',
      '-alias',
      'broker',
    ];
    const name = ['-dname', 'CN=broker', '-ext', 'SAN=IP:127.0.0.1', '-validity', '2'];
    execFileSync('keytool', ['-genkeypair', '-keyalg', 'RSA', ...name, ...store], { stdio: 'ignore' });
    const pem = join(directory.path, 'ca.pem');
    execFileSync('keytool', ['-exportcert', '-rfc', '-file', pem, ...store], { stdio: 'ignore' });
    ca = readFileSync(pem, 'utf8');
    const login = 'org.apache.kafka.common.security';
    kafka = await startKafka({
      version: '3.9.1',
      scramUsers: { grace: 'hopper' },
      listeners: {
        SASL: {
          protocol: 'SASL_PLAINTEXT',
          settings: {
            'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
            'plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_ada="lovelace" user_bob="builder";`,
            'scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
          },
        },
        TLS: {
          protocol: 'SSL',
          settings: {
            'ssl.keystore.location': keyStore,
            'ssl.keystore.password': 'changeit',
            'ssl.keystore.type': 'PKCS12',
          },
        },
        CERTIFIED: {
          protocol: 'SSL',
          settings: {
            'ssl.keystore.location': keyStore,
            'ssl.keystore.password': 'changeit',
            'ssl.keystore.type': 'PKCS12',
            'ssl.truststore.location': fixture('ca.pem'),
            'ssl.truststore.type': 'PEM',
            'ssl.client.auth': 'required',
          },
        },
      },
      settings: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS;User:ada;User:grace;User:CN=localhost',
      },
    });
  });
  afterAll(async () => {
    await kafka.stop();
    directory.remove();
  });
  afterEach(async () => {
    for (const sink of sinks.splice(0)) await sink[Symbol.asyncDispose]();
  });

  const open = (
    listener: 'SASL' | 'TLS' | 'CERTIFIED',
    options: Partial<KafkaSinkOptions>,
    pipeline = 'secure',
  ): KafkaSink => {
    const brokers = [`127.0.0.1:${kafka.listenerPorts[listener]}`];
    const sink = new KafkaSink(kafkaOptions({ brokers, ...patience, ...options }), pluginContext(pipeline));
    sinks.push(sink);
    return sink;
  };
  const deliver = async (sink: KafkaSink): Promise<string> => {
    const claim = await sink.claim(signal);
    const history = new SampleHistory();
    history.appendMany(3);
    return (await sink.write({ ...history.sinkBatch(0, 3), previous: claim.position }, claim, signal)).kind;
  };
  const user = (mechanism: KafkaSinkOptions['sasl']['mechanism'], username: string, password: string) => ({
    sasl: { mechanism, username, password },
  });
  const tls = (given: Partial<KafkaSinkOptions['tls']>): Partial<KafkaSinkOptions> => ({
    tls: { ...kafkaOptions({}).tls, enabled: true, ...given },
  });
  /** The error of a claim, and how long it took, in ms. */
  const refusal = async (sink: KafkaSink): Promise<{ error: unknown; tookMs: number }> => {
    const start = performance.now();
    const error: unknown = await sink.claim(signal).catch((caught: unknown) => caught);
    return { error, tookMs: performance.now() - start };
  };

  it('takes users with PLAIN and with SCRAM', async () => {
    expect(await deliver(open('SASL', user('plain', 'ada', 'lovelace')))).toBe('durable');
    expect(await deliver(open('SASL', user('scram-sha-512', 'grace', 'hopper')))).toBe('durable');
  });

  it('refuses a wrong password at once, and says nothing of the password', async () => {
    for (const mechanism of ['plain', 'scram-sha-512'] as const) {
      const { error, tookMs } = await refusal(open('SASL', user(mechanism, 'grace', 'wrong-secret')));
      expect(error).toMatchObject({ code: 'SINK_REFUSED', remedy: expect.stringContaining('sasl.password') });
      expect(String(error)).not.toContain('wrong-secret');
      expect(tookMs).toBeLessThan(atOnceMs);
    }
  });

  it('refuses at once to log in where that is not wanted, or not in that way', async () => {
    const refused = [
      open('SASL', user('scram-sha-256', 'ada', 'lovelace')),
      open('SASL', { brokers: [...kafka.brokers], ...user('plain', 'ada', 'lovelace') }),
    ];
    for (const sink of refused)
      expect((await refusal(sink)).error).toMatchObject({
        code: 'SINK_REFUSED',
        message: expect.stringContaining('SASL'),
        remedy: expect.stringContaining('sasl.mechanism'),
      });
  });

  it('says what a user may not do', async () => {
    const { error } = await refusal(open('SASL', user('plain', 'bob', 'builder'), 'not-bobs'));
    expect(error).toMatchObject({
      code: 'SINK_REFUSED',
      message: expect.stringContaining('AUTHORIZATION_FAILED'),
    });
  });

  it('names the topic that a user may not write to, and writes nothing', async () => {
    const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 'cdc.default', numPartitions: 1 }] });
    const allow = { principal: 'User:bob', host: '*', permissionType: AclPermissionTypes.ALLOW };
    const literal = { ...allow, resourcePatternType: ResourcePatternTypes.LITERAL };
    const { ALL, DESCRIBE, DESCRIBE_CONFIGS } = AclOperationTypes;
    const { TOPIC, TRANSACTIONAL_ID } = AclResourceTypes;
    await admin.createAcls({
      acl: [
        { ...literal, resourceType: TRANSACTIONAL_ID, resourceName: 'tailrace.half', operation: ALL },
        { ...literal, resourceType: TOPIC, resourceName: 'tailrace.half.position', operation: ALL },
        { ...literal, resourceType: TOPIC, resourceName: 'cdc.default', operation: DESCRIBE },
        { ...literal, resourceType: TOPIC, resourceName: 'cdc.default', operation: DESCRIBE_CONFIGS },
      ],
    });
    await admin.disconnect();
    const sink = open('SASL', user('plain', 'bob', 'builder'), 'half');
    // The broker is told of new rights a little after they were given.
    await waitUntil('the rights hold', () =>
      sink.claim(signal).then(
        () => true,
        (error: unknown) => !isTailraceError(error, 'SINK_REFUSED'),
      ),
    );
    const claim = await sink.claim(signal);
    const history = new SampleHistory();
    history.appendMany(3);
    expect(await sink.write(history.sinkBatch(0, 3), claim, signal)).toMatchObject({
      kind: 'fatal',
      error: {
        code: 'SINK_REFUSED',
        message: expect.stringMatching(/cdc\.default.*TOPIC_AUTHORIZATION_FAILED/),
        remedy: expect.stringContaining('what the user may do'),
      },
    });
    expect((await sink.claim(signal)).position).toBeNull();
  });

  it('speaks TLS with brokers whose certificate it is told to trust, and with no others', async () => {
    expect(await deliver(open('TLS', tls({ ca })))).toBe('durable');
    const { error, tookMs } = await refusal(open('TLS', tls({})));
    expect(error).toMatchObject({ code: 'SINK_REFUSED', remedy: expect.stringContaining('tls.ca') });
    expect(tookMs).toBeLessThan(atOnceMs);
  });

  it('shows the certificate that brokers ask for, and says what they answer without one', async () => {
    const cert = readFileSync(fixture('client.pem'), 'utf8');
    const key = readFileSync(fixture('client.key'), 'utf8');
    expect(await deliver(open('CERTIFIED', tls({ ca, cert, key })))).toBe('durable');
    const { error, tookMs } = await refusal(open('CERTIFIED', tls({ ca })));
    expect(error).toMatchObject({
      code: 'SINK_REFUSED',
      message: expect.stringMatching(/: [\w ]*alert (bad certificate|certificate required)$/),
      remedy: expect.stringContaining('tls.cert'),
    });
    expect(tookMs).toBeLessThan(atOnceMs);
  });

  it('takes a broker that is not there, or does not answer, for one that may come back', async () => {
    const brokers = [`127.0.0.1:${await freePort()}`];
    expect((await refusal(open('TLS', { brokers }))).error).toMatchObject({
      code: 'SINK_UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    // A port that wants TLS does not answer what is none.
    const silent = await refusal(open('TLS', { connectTimeout: 500 }));
    expect(silent.error).toMatchObject({ code: 'SINK_UNREACHABLE' });
    expect(silent.tookMs).toBeLessThan(atOnceMs);
  });

  it('is checked without being claimed', async () => {
    const sink = open('SASL', user('plain', 'ada', 'lovelace'), 'checked');
    const names = async (): Promise<string[]> =>
      (await sink.check(signal)).map(({ name, status }) => `${name} ${status}`);
    expect(await names()).toEqual(['connection ok', 'transactions ok', 'position topic ok', 'position ok']);
    await deliver(sink);
    // One broker alone loses what it loses.
    expect(await names()).toEqual(['connection ok', 'transactions ok', 'position topic warn', 'position ok']);
    expect(await sink.check(signal)).toContainEqual({
      name: 'position',
      status: 'ok',
      detail: expect.stringMatching(/^checked is at sequence number [1-9]/),
    });
    const [connection] = await open('SASL', user('plain', 'ada', 'no')).check(signal);
    expect(connection).toMatchObject({ status: 'fail', remedy: expect.stringContaining('sasl.password') });
    expect(await open('SASL', user('plain', 'bob', 'builder'), 'not-bobs').check(signal)).toContainEqual(
      expect.objectContaining({ name: 'transactions', status: 'fail' }),
    );
  });
});
