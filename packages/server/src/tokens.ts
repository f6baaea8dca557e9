import type { Api, Environment, Kernel, Plugin, Store } from '@pileus/core/kernel';
import type { ServiceIdentifier } from 'inversify';
import type { ApiKeys } from './auth/api-keys.ts';
import type { Health } from './http/health.ts';
import type { Metrics } from './http/metrics.ts';
import type { HttpServer } from './http/server.ts';

const token = <T>(name: string): ServiceIdentifier<T> => Symbol.for(`@pileus/server/${name}`);

/** Names of the parts that `compose.ts` puts together. Plugins may be bound many times, everything else once. */
export const ENVIRONMENT = token<Environment>('Environment');
export const METRICS = token<Metrics>('Metrics');
export const STORE = token<Store>('Store');
export const SEAL_KEY = token<Uint8Array>('SealKey');
export const PLUGIN = token<Plugin>('Plugin');
export const KERNEL = token<Kernel>('Kernel');
export const API = token<Api>('Api');
export const API_KEYS = token<ApiKeys>('ApiKeys');
export const HEALTH = token<Health>('Health');
export const HTTP_SERVER = token<HttpServer>('HttpServer');
