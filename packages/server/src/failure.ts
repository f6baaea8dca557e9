import { isCloudError, StoreError } from '@pileus/core/kernel';
import { ConfigError } from './config/load.ts';

/** Mistakes of the operator are told in one line; everything else with where it happened. */
export function describeFailure(error: unknown, usage: string): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ConfigError || error instanceof StoreError) return error.message;
  // A setting that only what it is for could judge, e.g. quotas by their counters.
  if (isCloudError(error) && error.code === 'invalid_input') return `The configuration is wrong: ${error.publicMessage}`;
  const code = 'code' in error ? String(error.code) : '';
  if (code.startsWith('ERR_PARSE_ARGS_')) return `${error.message}\n${usage}`;
  if (code === 'EADDRINUSE') return `${error.message}; another process serves there: stop it, or set listen.port`;
  return String(error.stack);
}
