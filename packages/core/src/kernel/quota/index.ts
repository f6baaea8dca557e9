export { type QuotaChange, type QuotaCounter, type QuotaEffect, type QuotaScope, quotaKey, quotaOf, quotaPrefix } from './counters.ts';
export { type QuotaExcess, quotaExceeded } from './exceeded.ts';
export { adjustments, QuotaLedger } from './ledger.ts';
export { countAnew } from './recount.ts';
export { quotaGrowth, quotaOfRow, quotaReleased } from './usage.ts';
