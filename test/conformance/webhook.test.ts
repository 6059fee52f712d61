import { afterAll, beforeAll } from 'vitest';
import { WebhookSink } from '../../sinks/webhook/index.js';
import { sinkConformance } from '../../src/kit/conformance/index.js';
import { parseEvent } from '../../src/kit/index.js';
import { HttpReceiver } from '../support/http-receiver.js';
import { silentContext } from '../support/silent-context.js';

let receiver: HttpReceiver;
beforeAll(async () => {
  receiver = await HttpReceiver.open();
});
afterAll(() => receiver[Symbol.asyncDispose]());

sinkConformance('webhook', {
  open: () =>
    new WebhookSink(
      {
        ...{ url: receiver.url, secret: '', headers: {}, body: 'ndjson', source: '' },
        ...{ maxEvents: 7, maxBytes: 4096, timeout: 5_000 },
      },
      silentContext('conformance'),
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
  fencing: 'epoch',
  clean: async () => {
    receiver.requests.length = 0;
  },
});
