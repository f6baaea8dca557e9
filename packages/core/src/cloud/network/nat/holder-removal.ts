import {
  type AnyKind,
  equals,
  FORWARD_ONLY,
  NOTHING_TO_UNDO,
  type Reader,
  type Statement,
  saga,
  transition,
} from '../../../kernel/index.ts';
import type { KeptSort } from '../../../strategy/index.ts';
import { type KeptKind, type KeptParams, removeKept } from '../kept.ts';
import type { NetworkContext } from '../network-context.ts';
import { type Holder, notKept } from './reservation.ts';
import { reservedAddress } from './reserved-address.ts';

/** Ids of the addresses that are kept for it. */
export const keptFor = async (reader: Reader, field: keyof Holder, id: string): Promise<readonly string[]> =>
  (await reader.list(reservedAddress, equals(field, id))).map((row) => row.id);

/** What has addresses goes, and they with it. */
export const goneWith = (kind: AnyKind, id: string, reservedIds: readonly string[]): readonly Statement[] => [
  transition(kind, id as never, { from: 'deleting', to: 'deleted' } as never),
  ...reservedIds.map(notKept),
];

/** The `remove` of what has addresses: nobody gets them while the fabric may still answer there. */
export const holderRemoval = <K extends AnyKind, S extends KeptSort, P extends KeptParams = KeptParams>(
  of: KeptKind<K, S>,
  field: keyof Holder,
) =>
  saga<NetworkContext, P>(`${of.kind.name}.remove`, 1)
    .effect('remove', {
      do: ({ ctx, params, call }) => removeKept(of, ctx, params.id, call),
      undo: FORWARD_ONLY,
    })
    // A step of its own, for who says that the removal is to be passed over.
    .effect('addresses', {
      do: async ({ ctx, params }) => ({ reservedIds: await keptFor(ctx.reader, field, params.id) }),
      undo: NOTHING_TO_UNDO,
      needed: true,
    })
    .write('deleted', { do: ({ params, out }) => goneWith(of.kind, params.id, out.addresses.reservedIds), undo: FORWARD_ONLY })
    .build();
