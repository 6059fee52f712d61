import { type ParsedEvent, parseEvent } from '../../../src/kit/index.js';
import { HttpReceiver } from '../../support/http-receiver.js';
import type { CrashTarget } from '../crash-target.js';
import { verifyEvents } from '../source-truth.js';

/**
 * A receiver of webhooks, which may be sent an event again after a crash: it takes what is behind the last event that it
 * has, as a receiver that must not act twice would.
 */
export const startWebhookTarget = async (): Promise<CrashTarget> => {
  const receiver = await HttpReceiver.open();
  const events: ParsedEvent[] = [];
  receiver.answer = (request, response) => {
    receiver.requests.length = 0;
    for (const line of request.body.toString().trim().split('\n')) {
      const event = parseEvent(line);
      const last = events.at(-1);
      const isNew =
        last === undefined ||
        event.tx.first > last.tx.first ||
        (event.tx.first === last.tx.first && event.change.index > last.change.index);
      if (isNew) events.push(event);
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
