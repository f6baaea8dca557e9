import { equals } from '../../../kernel/index.ts';
import { isThere, type KeptKind } from '../kept.ts';
import { route } from './route.ts';
import { vpc } from './vpc.ts';

/** A VPC is its router. */
export const keptVpc: KeptKind<typeof vpc, 'vpcs'> = {
  kind: vpc,
  sort: 'vpcs',
  fabric: (ctx, row) => ctx.fabrics.of(row),
  spec: async (ctx, row, arriving) => {
    const routes = await ctx.reader.list(route, equals('vpcId', row.id));
    const { id, name, domain } = row;
    return {
      ...{ id, name, domain, owner: ctx.cloudId },
      routes: routes
        .filter((part) => isThere(part, row, arriving))
        .map(({ id: routeId, destination, nextHop }) => ({ id: routeId, destination, ...(nextHop === undefined ? {} : { nextHop }) }))
        .sort((a, b) => (a.id < b.id ? -1 : 1)),
    };
  },
};
