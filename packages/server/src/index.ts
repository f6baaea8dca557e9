export { ApiKeys } from './auth/api-keys.ts';
export type { Authenticator } from './auth/authenticator.ts';
export { type ComposeOptions, type ControlPlane, compose } from './compose.ts';
export { ConfigError, type LoadedConfig, loadConfig, parseConfig } from './config/load.ts';
export { CONFIG, type Config } from './config/schema.ts';
export { createLogger } from './logging.ts';
export { openPostgres, type PostgresOptions, restorePostgres } from './postgres/index.ts';
