import type { Migration } from '@pileus/core/kernel';
import { scrapeTarget } from './target.ts';

const TLS_PORTS: readonly unknown[] = [443, 8443];

/** Release 1 knew ports alone, and went by them. Pure, and harmless to rows that have been changed already. */
const schemes: Migration = {
  plugin: 'scrape-targets',
  number: 1,
  table: scrapeTarget.name,
  up: (row) => ({ scheme: TLS_PORTS.includes(row.port) ? 'https' : 'http', metricsPath: '/metrics', ...row, schemaVersion: 2 }),
};

export const migrations: readonly Migration[] = [schemes];
