import { equals, type RowOf } from '../../../kernel/index.ts';
import type { Call, PeeringSpec } from '../../../strategy/index.ts';
import type { KeptKind } from '../kept.ts';
import type { NetworkContext } from '../network-context.ts';
import { peering } from './peering.ts';
import { vpc } from './vpc.ts';
import { otherSide, subnetsOf } from './vpc-ranges.ts';

export type PeeringRow = RowOf<typeof peering>;

/** The two rows of a link are one object, which has the id of the older. */
export function linkId(a: { readonly id: string }, b: { readonly id: string }): string {
  const [older = a.id] = [a.id, b.id].sort();
  return older;
}

/** The same for both sides: what is done to a link is done in turn. */
export const pairOf = ({ vpcId, peerVpcId }: Pick<PeeringRow, 'vpcId' | 'peerVpcId'>): string =>
  vpcId < peerVpcId ? `${vpcId}~${peerVpcId}` : `${peerVpcId}~${vpcId}`;

/** Without the subnets that are on their way out, and those named. */
export async function linkSpec(
  ctx: Pick<NetworkContext, 'reader' | 'cloudId'>,
  a: PeeringRow,
  b: PeeringRow,
  except: readonly string[] = [],
): Promise<PeeringSpec> {
  const [older, newer] = a.id < b.id ? [a, b] : [b, a];
  const side = async ({ vpcId }: PeeringRow) => ({
    vpcId,
    cidrs: (await subnetsOf(ctx.reader, vpcId))
      .filter(({ id, state }) => state !== 'deleting' && !except.includes(id))
      .map(({ cidr }) => cidr)
      .sort(),
  });
  return { id: older.id, owner: ctx.cloudId, sides: [await side(older), await side(newer)] };
}

export const keptPeering: KeptKind<typeof peering, 'peerings'> = {
  kind: peering,
  sort: 'peerings',
  fabric: async (ctx, row) => ctx.fabrics.of(await ctx.reader.get(vpc, row.vpcId)),
  keys: (row) => [pairOf(row)],
  spec: async (ctx, row) => {
    const other = row.state === 'active' ? await otherSide(ctx.reader, row) : undefined;
    return other?.state === 'active' && linkId(row, other) === row.id ? linkSpec(ctx, row, other) : undefined;
  },
};

/** After a change of a VPC's subnets: its links know them, too. */
export async function remakeLinks(
  ctx: NetworkContext,
  vpcId: string | undefined,
  call: Call,
  except: readonly string[] = [],
): Promise<void> {
  if (vpcId === undefined) return;
  for (const { id } of await ctx.reader.list(peering, equals('vpcId', vpcId))) await remakeLink(ctx, id, call, except);
}

/** Where both sides are active, in turn with others: each reads what those before it have changed. */
export async function remakeLink(ctx: NetworkContext, peeringId: string, call: Call, except: readonly string[] = []): Promise<void> {
  const wanted = async () => {
    const row = await ctx.reader.find(peering, peeringId);
    const other = row?.state === 'active' ? await otherSide(ctx.reader, row) : undefined;
    return row === undefined || other?.state !== 'active' ? undefined : linkSpec(ctx, row, other, except);
  };
  const seen = await wanted();
  if (seen === undefined) return;
  await ctx.fabrics.inTurn(seen.id, async () => {
    const spec = await wanted();
    // It may have been taken apart meanwhile.
    if (spec?.id === seen.id)
      await (await ctx.fabrics.of(await ctx.reader.get(vpc, spec.sides[0].vpcId))).keeper('peerings').ensure(spec, call);
  });
}
