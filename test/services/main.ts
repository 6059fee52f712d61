import process from 'node:process';
import { startKafka, startPostgres, startRedis } from './index.js';

// `npm run services`: real Redis, Postgres and Kafka with throw-away data on free loopback ports, until Ctrl-C.
// An address given in the environment is used as it is. The output can be read by a shell.
const addresses = {
  TAILRACE_TEST_REDIS_URL: process.env['TAILRACE_TEST_REDIS_URL'],
  TAILRACE_TEST_POSTGRES_URL: process.env['TAILRACE_TEST_POSTGRES_URL'],
  TAILRACE_TEST_KAFKA_BROKERS: process.env['TAILRACE_TEST_KAFKA_BROKERS'],
};
const started: { stop(): Promise<void> }[] = [];
const own = <Service extends { stop(): Promise<void> }>(service: Service): Service => {
  started.push(service);
  return service;
};
addresses.TAILRACE_TEST_REDIS_URL ??= own(await startRedis()).url;
addresses.TAILRACE_TEST_POSTGRES_URL ??= own(await startPostgres()).url;
addresses.TAILRACE_TEST_KAFKA_BROKERS ??= own(await startKafka()).brokers.join(',');
for (const [name, value] of Object.entries(addresses)) console.log(`export ${name}=${value}`);

const stop = async (): Promise<void> => {
  await Promise.all(started.map((service) => service.stop()));
  process.exit(0);
};
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());
setInterval(() => undefined, 60_000); // stay until told to stop
