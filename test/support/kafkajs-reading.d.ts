declare module 'kafkajs/src/consumer/filterAbortedMessages.js' {
  /** What a consumer that reads committed keeps of a fetch. */
  const filterAbortedMessages: <Message>(fetched: {
    messages: readonly Message[];
    abortedTransactions: readonly unknown[];
  }) => Message[];
  export default filterAbortedMessages;
}

declare module 'kafkajs/src/protocol/decoder.js' {
  export default class Decoder {
    constructor(bytes: Buffer);
  }
}

declare module 'kafkajs/src/protocol/recordBatch/v0/decoder.js' {
  import type Decoder from 'kafkajs/src/protocol/decoder.js';

  const decodeRecordBatch: (decoder: Decoder) => Promise<{
    producerId: string;
    producerEpoch: number;
    firstSequence: number;
    inTransaction: boolean;
    isControlBatch: boolean;
    lastOffsetDelta: number;
    records: { key: Buffer | null; value: Buffer | null; headers: Record<string, Buffer> }[];
  }>;
  export default decodeRecordBatch;
}

declare module 'kafkajs/src/producer/partitioners/default/murmur2.js' {
  const murmur2: (key: Buffer) => number;
  export default murmur2;
}
