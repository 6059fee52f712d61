import type { Rejection, SinkBatch, WriteOutcome } from '../../src/kit/index.js';
import type { ProduceRefused, UnwrittenBatch } from './producer.js';
import { placesIn, type RecordWriter, tooLarge } from './record-writer.js';
import { asSinkError } from './refusal.js';
import type { TopicDirectory } from './topics.js';

/** What is to be done when brokers looked at record batches and wrote nothing of them. */
export const judgeRefused = async (
  { unwritten }: ProduceRefused,
  batch: SinkBatch,
  writer: RecordWriter,
  topics: TopicDirectory,
  place: string,
): Promise<WriteOutcome> => {
  const [first] = unwritten;
  const forbidden = unwritten.find(({ error }) => error.kind === 'forbidden');
  if (forbidden !== undefined) return { kind: 'fatal', error: asSinkError(forbidden.error, place) };
  const rejections: Rejection[] = [];
  for (const refused of unwritten)
    if (refused.error.kind !== 'busy')
      rejections.push(...(await rejectionsOf(refused, batch, writer, topics)));
  return rejections.length > 0 ? { kind: 'poison', rejections } : { kind: 'retryable', error: first.error };
};

/** The changes that will never be taken; none when smaller batches are worth a try. */
const rejectionsOf = async (
  refused: UnwrittenBatch,
  batch: SinkBatch,
  writer: RecordWriter,
  topics: TopicDirectory,
): Promise<Rejection[]> => {
  const { topic } = refused.partition;
  const { byteLength } = refused.batch;
  const places = await placesIn(batch, writer, topics, refused);
  if (refused.error.kind === 'too-large') {
    // The limit was lowered since we asked, it may not be asked for, or the record does not compress well enough.
    topic.limitBytes = await topics.maxBatchBytes(topic.name);
    topic.maxBatchBytes = Math.min(topic.limitBytes, Math.ceil(byteLength / 2));
    const [only, ...others] = places;
    if (only === undefined || others.length > 0) return [];
    const { transaction, change } = only;
    return [{ transaction, change, reason: tooLarge(topic, byteLength) }];
  }
  const unkeyed = places.filter(({ isKeyed }) => !isKeyed);
  const culprits = unkeyed.length > 0 ? unkeyed : places;
  const why = unkeyed.length > 0 ? ': a compacted topic takes no records without a key' : '';
  return culprits.map(({ transaction, change }) => ({
    transaction,
    change,
    reason: `${refused.error.message}${why}`,
  }));
};
