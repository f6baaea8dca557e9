import { Type } from 'typebox';
import { defineAction, type Id, NOTHING_TO_UNDO, saga } from '../../kernel/index.ts';
import { host } from './host.ts';
import { forgetHost, type HostContext } from './host-context.ts';
import { refuseOther } from './host-inventory.ts';

/** The look that follows does what a host's return takes: debts, status, inventory, and every module's comparison. */
const reconnectHost = saga<HostContext, { readonly hostId: Id<'host'> }>('host.reconnect', 1)
  .effect('reopen', {
    do: async ({ ctx, params, call }) => {
      await forgetHost(ctx, params.hostId);
      refuseOther(await ctx.reader.get(host, params.hostId), await (await ctx.hosts.hypervisor(params.hostId)).inventory(call));
      ctx.watch.lookSoon(params.hostId);
    },
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const hostReconnect = (context: HostContext) =>
  defineAction({
    kind: host,
    verb: 'reconnect',
    description: 'Opens every connection to the host anew, and looks at it at once.',
    target: 'resource',
    input: Type.Object({}),
    from: ['enabled', 'disabled', 'maintenance'],
    accept: ({ id }) => ({ params: { hostId: id }, statements: [] }),
    saga: reconnectHost,
    context: () => context,
  });
