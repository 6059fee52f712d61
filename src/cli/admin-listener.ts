import { type AdministeredPipeline, AdminServer, PipelineMetrics } from '../admin/index.js';
import { packageVersion } from '../files/index.js';
import type { Logger } from '../kit/index.js';
import type { ListenAddress } from './listen-address.js';
import type { OwnedParts } from './owned-parts.js';

/** Listens on each address, for all pipelines; `owned` gets the servers. */
export const listenAdmin = async (
  addresses: readonly ListenAddress[],
  pipelines: readonly AdministeredPipeline[],
  log: Logger,
  owned: OwnedParts,
): Promise<PipelineMetrics> => {
  const metrics = new PipelineMetrics(() => pipelines.map((pipeline) => pipeline.status()));
  for (const { host, port } of addresses) {
    const version = packageVersion();
    const server = owned.add(await AdminServer.listen({ host, port, version, pipelines, metrics, log }));
    log.info('admin server listening', { address: `http://${host}:${server.port}` });
    if (!['127.0.0.1', '::1', 'localhost'].includes(host))
      log.warn('the admin server knows no passwords: whoever reaches it may stop pipelines', { host });
  }
  return metrics;
};
