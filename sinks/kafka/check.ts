import type { Finding, Logger } from '../../src/kit/index.js';
import { KafkaCluster, type TopicDescription } from './cluster.js';
import { Outbox, Topic } from './outbox.js';
import { type HeldPosition, PositionTopic, requireKept } from './position-topic.js';
import { asSinkError } from './refusal.js';
import type { KafkaSinkSettings } from './settings.js';
import { configOf } from './topics.js';
import { isBusy, whilePassing } from './while-passing.js';

/** What `tailrace doctor` says of a Kafka: can it be reached, may we write, and would what it holds survive. */
export const checkKafka = async (
  settings: KafkaSinkSettings,
  log: Logger,
  signal: AbortSignal,
): Promise<readonly Finding[]> => {
  const { cluster: options, positionTopic, owner, producer } = settings;
  const cluster = new KafkaCluster(options, log);
  const stop = (): void => cluster.close(new Error('the check was given up'));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  const place = `Kafka at ${options.brokers.join(', ')}`;
  const findings: Finding[] = [];
  const look = async (name: string, work: () => Promise<Omit<Finding, 'name'>>): Promise<boolean> => {
    try {
      findings.push({ name, ...(await work()) });
      return true;
    } catch (error) {
      const { message, remedy } = asSinkError(error, place);
      findings.push({ name, status: 'fail', detail: message, remedy });
      return false;
    }
  };
  try {
    const isThere = await look('connection', async () => {
      await cluster.connect();
      return { status: 'ok', detail: `reached ${place}` };
    });
    if (!isThere) return findings;
    const { transactionalId } = producer;
    if (transactionalId !== null) {
      await look('transactions', async () => {
        // The brokers of a cluster that is new, or has just started, do not know it yet.
        await whilePassing(coordinatorTimeoutMs, isBusy, () => cluster.findCoordinator(transactionalId));
        return { status: 'ok', detail: `may use the transactional id ${transactionalId}` };
      });
      await look('position topic', async () => {
        const finding = await checkTopic(cluster, positionTopic, true);
        await requireKept(cluster, positionTopic);
        return finding;
      });
      await look('position', () => checkPosition(cluster, positionTopic, owner));
    }
    const { topic } = settings.records;
    if (!topic.includes('{')) await look('topic', () => checkTopic(cluster, topic, settings.topics.create));
    return findings;
  } finally {
    signal.removeEventListener('abort', stop);
    cluster.close();
  }
};

const checkTopic = async (
  cluster: KafkaCluster,
  topic: string,
  isMade: boolean,
): Promise<Omit<Finding, 'name'>> => {
  const description = (await cluster.describeTopics([topic])).get(topic);
  if (description !== undefined) return judge(topic, description, await configOf(cluster, topic, watched));
  if (isMade) return { status: 'ok', detail: `${topic} is not there yet and will be made` };
  const remedy = 'Create it, or set topics.create to true.';
  return { status: 'fail', detail: `${topic} is not there`, remedy };
};

/**
 * What the position topic holds, for whoever looks without claiming; undefined without it. A commit is answered before
 * it shows: with a time to wait, everything that was written before is seen.
 */
export const lookAtPosition = async (
  cluster: KafkaCluster,
  name: string,
  owner: string,
  settleTimeoutMs?: number,
): Promise<HeldPosition | undefined> => {
  const description = (await cluster.describeTopics([name])).get(name);
  if (description === undefined) return undefined;
  const topic = new Topic(name, description.leaders, 0, new Outbox(false));
  const positions = new PositionTopic(cluster, name, owner);
  return settleTimeoutMs === undefined
    ? await positions.readNow(topic)
    : await positions.readSettled(topic, settleTimeoutMs);
};

const checkPosition = async (
  cluster: KafkaCluster,
  name: string,
  owner: string,
): Promise<Omit<Finding, 'name'>> => {
  const held = await lookAtPosition(cluster, name, owner);
  const detail =
    held === undefined
      ? `${owner} is free`
      : `${owner} is at sequence number ${held.position?.sequence ?? 0}`;
  return { status: 'ok', detail };
};

const judge = (
  topic: string,
  { leaders, replication }: TopicDescription,
  config: ReadonlyMap<string, string>,
): Omit<Finding, 'name'> => {
  const inSync = Number(config.get(minInSync) ?? 1);
  const detail = `${topic}: ${leaders.length} partitions, ${replication} replicas, ${minInSync} ${inSync}`;
  if (leaders.includes(-1))
    return {
      status: 'fail',
      detail: `${detail}; a partition has no leader`,
      remedy: 'Look after the brokers.',
    };
  if (config.get(uncleanElection) === 'true')
    return {
      status: 'warn',
      detail: `${detail}; a broker that lags behind may become leader, and then acknowledged records are lost`,
      remedy: `Set ${uncleanElection} of the topic to false.`,
    };
  if (replication < 2 || inSync < 2)
    return {
      status: 'warn',
      detail: `${detail}; the loss of one broker may lose acknowledged records`,
      remedy: `Give the topic 3 replicas, and set ${minInSync} to 2.`,
    };
  return { status: 'ok', detail };
};

const coordinatorTimeoutMs = 10_000;
const minInSync = 'min.insync.replicas';
const uncleanElection = 'unclean.leader.election.enable';
const watched = [minInSync, uncleanElection];
