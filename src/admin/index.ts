export { AdminServer, type AdminServerOptions } from './admin-server.js';
export { PipelineMetrics } from './metrics.js';
export type { AdministeredPipeline, AdminStatus } from './status.js';
