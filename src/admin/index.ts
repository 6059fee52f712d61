export { AdminServer, type AdminServerOptions } from './admin-server.js';
export { type DegradedPart, degradedParts } from './health.js';
export { PipelineMetrics } from './metrics.js';
export type { AdministeredPipeline, AdminStatus } from './status.js';
