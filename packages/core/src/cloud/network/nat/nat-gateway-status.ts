import { Type } from 'typebox';
import { ANY_PROJECT, type Endpoint, lookUp, type RowOf, readPermission } from '../../../kernel/index.ts';
import type { CloudServices } from '../../services.ts';
import { natGateway } from './nat-gateway.ts';
import { keptGateway } from './nat-gateway-kept.ts';

const ASK_MS = 5000;

/** Asked of the fabric each time: who carries a gateway may change without us. */
export const natGatewayStatus = (services: CloudServices): Endpoint => ({
  type: 'value',
  method: 'GET',
  path: '/nat-gateways/{id}/status',
  summary: 'Whether a host carries the gateway at this moment, and for operators which.',
  permission: readPermission(natGateway),
  scope: 'project',
  answer: Type.Object({
    active: Type.Boolean(),
    activeHost: Type.Optional(Type.String({ description: 'Name of the host; for operators.' })),
  }),
  handle: async ({ principal, params, signal }) => {
    const row = (await lookUp(services.reader, natGateway, params.id ?? '', principal)).row as RowOf<typeof natGateway>;
    const call = { requestId: `status-${row.id}`, signal, timeoutMs: ASK_MS };
    const activeHost = await (await keptGateway.fabric(services, row)).gatewayHost(row.id, call);
    return {
      active: activeHost !== undefined,
      ...(activeHost !== undefined && principal.allows(ANY_PROJECT) ? { activeHost } : {}),
    };
  },
});
