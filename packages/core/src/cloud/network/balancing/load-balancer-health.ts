import { Type } from 'typebox';
import { type Endpoint, equals, lookUp, type RowOf, readPermission } from '../../../kernel/index.ts';
import type { CloudServices } from '../../services.ts';
import { backend } from './backend.ts';
import { loadBalancer } from './load-balancer.ts';
import { keptLoadBalancer } from './load-balancer-kept.ts';

const ASK_MS = 5000;

/** Asked of the fabric each time, in place of a field: backends come and go by the second, and the feed tells of what is wanted. */
export const loadBalancerHealth = (services: CloudServices): Endpoint => ({
  type: 'value',
  method: 'GET',
  path: '/load-balancers/{id}/health',
  summary: 'How the backends of a load balancer answer at this moment.',
  permission: readPermission(loadBalancer),
  scope: 'project',
  answer: Type.Object({
    backends: Type.Array(
      Type.Object({
        id: Type.String({ format: 'uuid' }),
        name: Type.String(),
        listenerId: Type.String({ format: 'uuid' }),
        nicId: Type.String({ format: 'uuid' }),
        weight: Type.Integer(),
        health: Type.Union([Type.Literal('unchecked'), Type.Literal('online'), Type.Literal('offline'), Type.Literal('held')], {
          description:
            '`unchecked` without a health check, before its first answer, and at weight 0; `held` while it gets nothing, and is not asked, because it flapped.',
        }),
        heldUntil: Type.Optional(Type.String({ format: 'date-time', description: 'When one that is held is tried again.' })),
      }),
    ),
  }),
  handle: async ({ principal, params, signal }) => {
    const row = (await lookUp(services.reader, loadBalancer, params.id ?? '', principal)).row as RowOf<typeof loadBalancer>;
    const call = { requestId: `health-${row.id}`, signal, timeoutMs: ASK_MS };
    const health = await (await keptLoadBalancer.fabric(services, row)).backendHealth(row.id, call);
    const rows = await services.reader.list(backend, equals('loadBalancerId', row.id));
    return {
      backends: rows.map(({ id, name, listenerId, nicId, weight, heldUntil }) => ({
        ...{ id, name, listenerId, nicId, weight },
        ...(heldUntil === undefined ? { health: health[id] ?? 'unchecked' } : { health: 'held', heldUntil }),
      })),
    };
  },
});
