export { freePort } from './free-port.ts';
export { type PostgresOptions, type PostgresServer, startPostgres } from './postgres.ts';
export { type RedisOptions, type RedisServer, startRedis } from './redis.ts';
