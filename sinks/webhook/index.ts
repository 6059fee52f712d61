import type { SinkDefinition } from '../../src/kit/index.js';
import { WebhookSink, type WebhookSinkOptions } from './webhook-sink.js';

export { WebhookSink, type WebhookSinkOptions } from './webhook-sink.js';

const requireHeaders = (value: unknown): void => {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap || Object.values(value).some((text) => typeof text !== 'string'))
    throw new Error('must be a map of header names to texts');
  for (const [name, text] of Object.entries(value))
    if (!isHeader(name, text)) throw new Error(`holds a header that HTTP does not allow: ${name}`);
};

const isHeader = (name: string, text: string): boolean => {
  try {
    new Headers([[name, text]]);
    return true;
  } catch {
    return false;
  }
};

const requireHttpUrl = (value: unknown): void => {
  if (typeof value !== 'string' || value === '') throw new Error('is required');
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol))
    throw new Error('must be an address that starts with http:// or https://');
  if (new URL(value).username !== '' || new URL(value).password !== '')
    throw new Error('must hold no user name and password: give them in headers.authorization');
};

/** The sink `webhook`, as pipeline files name it. */
export const webhookSink: SinkDefinition<WebhookSinkOptions> = {
  name: 'webhook',
  summary: 'change events as HTTP POST requests, signed, at least once',
  schema: {
    url: { doc: 'where events are posted to, http:// or https://', format: requireHttpUrl, default: '' },
    secret: {
      doc: 'key of the HMAC-SHA256 in the header Tailrace-Signature; none: not signed',
      format: String,
      default: '',
      sensitive: true,
    },
    headers: {
      doc: 'more headers of each request, such as {authorization: "Bearer ${TOKEN}"}',
      format: requireHeaders,
      default: {},
      sensitive: true,
    },
    body: {
      doc: 'json: one object with a list of events; ndjson: one event a line',
      format: ['json', 'ndjson'],
      default: 'json',
    },
    maxEvents: { doc: 'events in one request, at most', format: 'positive-integer', default: 1000 },
    maxBytes: { doc: 'size of one request, at most', format: 'byte-size', default: 1024 * 1024 },
    timeout: { doc: 'how long an answer is waited for', format: 'timeout', default: 30_000 },
    source: {
      doc: 'name of the source in the events (default: the name of the pipeline)',
      format: String,
      default: '',
    },
  },
  create: (options, context) => new WebhookSink(options, context),
};
