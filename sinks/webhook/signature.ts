import { createHmac } from 'node:crypto';

/**
 * The value of the header `Tailrace-Signature`: `t=<seconds>,v1=<hex>`, where v1 is the HMAC-SHA256, under the secret, of
 * the seconds as text, a dot, and the body. A receiver computes the same, compares in constant time, and refuses what
 * is older than a few minutes.
 */
export const signatureOf = (secret: string, seconds: number, body: Uint8Array): string => {
  const digest = createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex');
  return `t=${seconds},v1=${digest}`;
};
