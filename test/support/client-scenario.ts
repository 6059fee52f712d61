import { encodeCommand, type Reply, ReplyError, RespConnection } from '../../src/resp/index.js';
import { waitUntil } from './wait-until.js';

/** One step: which client sends which words. A client that waits for an answer may send more behind it. */
export type ScenarioStep = readonly [client: string, ...words: string[]];

/**
 * Plays steps of several clients against a server, and writes down who was answered what after each step, once
 * every client either has its answer or is known to the server as blocked. The same steps against another server
 * give the same lines when both serve the same clients in the same order.
 */
export const playScenario = async (port: number, steps: readonly ScenarioStep[]): Promise<string[]> => {
  const control = await RespConnection.open({ host: '127.0.0.1', port });
  const clients = new Map<string, RespConnection>();
  const waiting = new Map<string, number>();
  const lines: string[] = [];
  let answered: (line: string) => void = () => undefined;
  try {
    await control.call('FLUSHALL');
    for (const [name, ...words] of steps) {
      const client = clients.get(name) ?? (await RespConnection.open({ host: '127.0.0.1', port }));
      clients.set(name, client);
      const answers: string[] = [];
      answered = (line) => answers.push(line);
      waiting.set(name, (waiting.get(name) ?? 0) + 1);
      client.send(encodeCommand(...words), 1).then(
        ([reply]) => {
          waiting.set(name, (waiting.get(name) ?? 0) - 1);
          answered(`${name} < ${shown(reply)}`);
        },
        () => undefined, // closed at the end
      );
      await waitUntil(`each client is answered or blocked after ${words.join(' ')}`, async () => {
        const outstanding = (): number => [...waiting.values()].filter((count) => count > 0).length;
        // Counted before, too: what the server told may be older than an answer that has come meanwhile.
        const before = outstanding();
        const info = String(await control.call('INFO', 'clients'));
        return Number(/blocked_clients:(\d+)/.exec(info)?.[1]) === before && outstanding() === before;
      });
      // Which of several sockets is read first is chance.
      lines.push(`${name}: ${words.join(' ')}`, ...answers.sort());
    }
    return lines;
  } finally {
    for (const client of clients.values()) client.close();
    control.close();
  }
};

const shown = (reply: Reply | undefined): string =>
  JSON.stringify(reply, (_key, value: unknown) => {
    if (value instanceof ReplyError) return `error ${value.message}`;
    if (typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer')
      return Buffer.from((value as unknown as { data: number[] }).data).toString('latin1');
    return value;
  });
