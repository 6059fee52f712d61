import { afterAll, beforeAll } from 'vitest';
import { WebhookSink } from '../../sinks/webhook/index.js';
import { sinkConformance } from '../../src/kit/conformance/index.js';
import { parseEvent } from '../../src/kit/index.js';
import { HttpReceiver } from '../support/http-receiver.js';
import { pluginContext } from '../support/plugin-context.js';

let receiver: HttpReceiver;
/** Requests wait here while the receiver stands still. */
let held: (() => void)[] | undefined;
const refusedKey = 'unwanted';
beforeAll(async () => {
  receiver = await HttpReceiver.open();
  receiver.answer = (request, response) => {
    if (request.body.includes(refusedKey)) {
      // Not received: what counts is what was answered with 200.
      receiver.requests.splice(receiver.requests.indexOf(request), 1);
      response.statusCode = 422;
    }
    if (held === undefined) response.end();
    else held.push(() => response.end());
  };
});
afterAll(() => receiver[Symbol.asyncDispose]());

sinkConformance('webhook', {
  open: () =>
    new WebhookSink(
      {
        ...{ url: receiver.url, secret: '', headers: {}, body: 'ndjson', source: '' },
        ...{ maxEvents: 7, maxBytes: 4096, timeout: 5_000 },
      },
      pluginContext('conformance'),
    ),
  contents: async () => {
    const state = new Map<string, string>();
    for (const { body } of receiver.requests)
      for (const line of body.toString().trim().split('\n')) {
        const { change } = parseEvent(line);
        if (change.op === 'put' && change.type === 'string')
          state.set(Buffer.from(change.key).toString('hex'), Buffer.from(change.value).toString('hex'));
      }
    return state;
  },
  fencing: 'none',
  refusable: { key: Buffer.from(refusedKey), value: Buffer.from('whatever') },
  stall: async () => {
    held = [];
    return async () => {
      const waiting = held ?? [];
      held = undefined;
      for (const answer of waiting) answer();
    };
  },
  clean: async () => {
    receiver.requests.length = 0;
  },
});
