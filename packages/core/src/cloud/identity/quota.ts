import type { Module } from '../services.ts';
import { startQuotaExpiry } from './quota-expiry.ts';
import { refuseUnknown } from './quota-limits.ts';
import { quotaEndpoints } from './quota-report.ts';
import { quotaRequest } from './quota-request.ts';
import { quotaRequestActions, quotaRequestDeletion } from './quota-request-verbs.ts';
import { quotaActions } from './quota-set.ts';

/** How much projects and accounts may use. What they use is counted by the kernel, which guards the limits that are set here. */
export const quota: Module = (services) => ({
  id: 'quota',
  version: '0.1.0',
  requires: ['identity'],
  kinds: [quotaRequest],
  actions: [...quotaActions(services), ...quotaRequestActions(services)],
  deletions: [quotaRequestDeletion],
  endpoints: quotaEndpoints(services),
  start: async () => {
    for (const scope of ['project', 'account'] as const) refuseUnknown(services.kernel, scope, services.config.quota[scope]);
    return startQuotaExpiry(services);
  },
});
