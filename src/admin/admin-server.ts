import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import process from 'node:process';
import { addressUnavailable } from '../errors/index.js';
import { type Logger, messageOf } from '../kit/index.js';
import { dashboardPage } from './dashboard.js';
import { degradedParts } from './health.js';
import type { PipelineMetrics } from './metrics.js';
import type { AdministeredPipeline, AdminStatus } from './status.js';

/** Where the server listens, and what it tells of. */
export interface AdminServerOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly version: string;
  readonly pipelines: readonly AdministeredPipeline[];
  readonly metrics: PipelineMetrics;
  readonly log: Logger;
}

/**
 * Health, metrics, status and a dashboard over HTTP:
 *
 *   GET  /          the dashboard
 *   GET  /healthz   200 while no pipeline has failed as a whole, else 503
 *   GET  /readyz    200 when every part runs, else 503; the degraded parts in any case
 *   GET  /metrics   for Prometheus
 *   GET  /status    AdminStatus
 *   POST /pipelines/NAME/pause | resume | stop
 *
 * It knows no users: whoever reaches the address may pause a pipeline. Requests that a page of another site makes a
 * browser send are refused, and on loopback those that ask for another name.
 */
export class AdminServer implements AsyncDisposable {
  readonly #options: AdminServerOptions;
  readonly #server: Server;
  readonly #startedMs = performance.now();

  /** @throws TailraceError `ADDRESS_UNAVAILABLE` */
  static async listen(options: AdminServerOptions): Promise<AdminServer> {
    const server = createServer();
    const { host, port } = options;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(addressUnavailable(host, port, cause)));
      server.listen(port, host, resolve);
    });
    return new AdminServer(options, server);
  }

  private constructor(options: AdminServerOptions, server: Server) {
    this.#options = options;
    this.#server = server;
    server.on('request', (request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        options.log.error('a request to the admin server failed', {
          path: request.url,
          reason: messageOf(error),
        });
        send(response, 500, { error: 'internal error' });
      });
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  status(): AdminStatus {
    return {
      version: this.#options.version,
      pid: process.pid,
      uptimeMs: Math.round(performance.now() - this.#startedMs),
      memoryBytes: process.memoryUsage.rss(),
      pipelines: this.#options.pipelines.map((pipeline) => pipeline.status()),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume(); // no request has a body that matters
    const path = (request.url ?? '/').split('?', 1)[0];
    if (isFromAnotherSite(request))
      return send(response, 403, { error: 'requests of other sites are refused' });
    if (!this.#isAskedByOwnName(request))
      return send(response, 403, { error: 'ask by the address that is listened on, or as localhost' });
    if (request.method === 'POST') return this.#act(path, response);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(response, 405, { error: 'use GET, or POST to act' });
    const statuses = this.#options.pipelines.map((pipeline) => pipeline.status());
    switch (path) {
      case '/':
        return sendText(response, 200, 'text/html; charset=utf-8', dashboardPage);
      case '/healthz': {
        const failed = statuses.filter(({ state }) => state === 'failed').map(({ name }) => name);
        return send(response, failed.length === 0 ? 200 : 503, {
          status: failed.length === 0 ? 'ok' : 'failed',
          failed,
        });
      }
      case '/readyz': {
        const degraded = degradedParts(statuses);
        return send(response, degraded.length === 0 ? 200 : 503, { ready: degraded.length === 0, degraded });
      }
      case '/metrics': {
        const { metrics } = this.#options;
        return sendText(response, 200, metrics.contentType, await metrics.text());
      }
      case '/status':
        return send(response, 200, this.status());
      default:
        return send(response, 404, { error: 'there is /, /healthz, /readyz, /metrics and /status' });
    }
  }

  /**
   * Who listens on loopback is asked by no other name than its own: a page may have its name lead to this machine (DNS
   * rebinding), and is of the same site then. An address in its place is no name that anybody could have given.
   */
  #isAskedByOwnName({ headers }: IncomingMessage): boolean {
    const address = this.#server.address();
    const isLoopback =
      typeof address === 'object' && address !== null && /^(::1$|127\.)/.test(address.address);
    if (!isLoopback || headers.host === undefined) return true;
    const name = headers.host
      .toLowerCase()
      .replace(/:\d+$/, '')
      .replace(/^\[|\]$/g, '');
    const { host } = this.#options;
    return isIP(name) !== 0 || [host, 'localhost'].includes(name) || name.endsWith('.localhost');
  }

  #act(path: string, response: ServerResponse): void {
    const [, name, action] = /^\/pipelines\/([^/]+)\/(pause|resume|stop)$/.exec(path) ?? [];
    const pipeline = this.#options.pipelines.find((one) => one.status().name === decoded(name));
    if (pipeline === undefined || action === undefined) {
      send(response, 404, {
        error:
          action === undefined
            ? 'POST /pipelines/NAME/pause, resume or stop'
            : `there is no pipeline ${decoded(name)}`,
      });
      return;
    }
    if (action === 'pause') pipeline.pause();
    else if (action === 'resume') pipeline.resume();
    else pipeline.stop();
    this.#options.log.info('the admin server was told to act', { pipeline: pipeline.status().name, action });
    send(response, 202, { pipeline: pipeline.status().name, action });
  }
}

const decoded = (part: string | undefined): string | undefined => {
  try {
    return part && decodeURIComponent(part);
  } catch {
    return undefined;
  }
};

/** Browsers name the site whose page sends a request; ours has the address that is asked. */
const isFromAnotherSite = ({ headers }: IncomingMessage): boolean => {
  const { origin, host } = headers;
  return origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
};

const send = (response: ServerResponse, status: number, body: object): void =>
  sendText(response, status, 'application/json', `${JSON.stringify(body)}\n`);

const sendText = (response: ServerResponse, status: number, type: string, text: string): void => {
  if (response.headersSent) return;
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy':
      "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
  });
  response.end(text);
};
