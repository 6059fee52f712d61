export { freePort, throwAwayDirectory } from './daemon.js';
export { startKafkaCluster } from './kafka-cluster-service.js';
export { type KafkaService, startKafka } from './kafka-service.js';
export { type KvrocksService, rocksDirectoryOf, startKvrocks } from './kvrocks-service.js';
export { type PostgresService, startPostgres } from './postgres-service.js';
export { type RedisClusterService, startRedisCluster } from './redis-cluster-service.js';
export { type RedisService, startRedis } from './redis-service.js';
export { ensurePrograms } from './tools.js';
