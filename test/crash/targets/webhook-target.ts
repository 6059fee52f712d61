import { type ParsedEvent, parseEvent } from '../../../src/kit/index.js';
import { HttpReceiver } from '../../support/http-receiver.js';
import type { CrashTarget } from '../crash-target.js';
import { verifyEvents } from '../source-truth.js';

/**
 * A receiver of webhooks, which may be sent a transaction again after a crash: it takes those behind the last one that it
 * has, as a receiver that must not act twice would. Not single events: what is told of a transaction again may be
 * divided into changes in another way.
 */
export const startWebhookTarget = async (): Promise<CrashTarget> => {
  const receiver = await HttpReceiver.open();
  const events: ParsedEvent[] = [];
  receiver.answer = (request, response) => {
    receiver.requests.length = 0;
    const held = events.at(-1)?.tx.last ?? 0;
    for (const line of request.body.toString().trim().split('\n')) {
      const event = parseEvent(line);
      if (event.tx.first > held) events.push(event);
    }
    response.end();
  };
  return {
    name: 'webhook',
    port: receiver.port,
    fencing: 'none',
    sinkEntry: (port) => ({
      sink: 'webhook',
      url: `http://127.0.0.1:${port}/events`,
      body: 'ndjson',
      timeout: '1s',
    }),
    killAndRestart: async () => {
      await receiver.close();
      await receiver.listen();
    },
    position: async () => events.at(-1)?.tx.last ?? 0,
    verify: (truth) => verifyEvents(events, truth),
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
};
