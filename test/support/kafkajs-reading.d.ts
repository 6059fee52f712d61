declare module 'kafkajs/src/consumer/filterAbortedMessages.js' {
  /** What a consumer that reads committed keeps of a fetch. */
  const filterAbortedMessages: <Message>(fetched: {
    messages: readonly Message[];
    abortedTransactions: readonly unknown[];
  }) => Message[];
  export default filterAbortedMessages;
}
