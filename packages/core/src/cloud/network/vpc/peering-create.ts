import { Type } from 'typebox';
import {
  both,
  CloudError,
  create,
  defineAction,
  defineDeletion,
  equals,
  expectState,
  FORWARD_ONLY,
  type Id,
  isVisible,
  NOTHING_TO_UNDO,
  type Principal,
  type Reader,
  type RowOf,
  readPermission,
  resourceName,
  revert,
  type Statement,
  saga,
  transition,
  updateAction,
} from '../../../kernel/index.ts';
import type { Call } from '../../../strategy/index.ts';
import { given, nameOr } from '../../naming.ts';
import { formatAddress, overlaps, parseCidr } from '../cidr.ts';
import type { NetworkContext } from '../network-context.ts';
import { invalid } from '../refusal.ts';
import { ownVpc } from './own-vpc.ts';
import { peering } from './peering.ts';
import { linkId, linkSpec, type PeeringRow, pairOf, remakeLink } from './peering-kept.ts';
import { vpc } from './vpc.ts';
import { isOvertaken, isSame, otherSide, routedTo, subnetsOf, vpcChanges } from './vpc-ranges.ts';

interface PeeringParams {
  readonly id: Id<'peering'>;
  /** The same for both sides: what is done to a link is done in turn. */
  readonly pair: string;
}

const keeperOf = async (ctx: NetworkContext, vpcId: string) => (await ctx.fabrics.of(await ctx.reader.get(vpc, vpcId))).keeper('peerings');

const takeApart = (ctx: NetworkContext, { vpcId }: PeeringRow, id: string, call: Call): Promise<void> =>
  ctx.fabrics.inTurn(id, async () => (await keeperOf(ctx, vpcId)).remove(id, call));

const peeringCreation = saga<NetworkContext, PeeringParams>('peering.create', 1)
  .effect('link', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(peering, params.id);
      const other = await otherSide(ctx.reader, row);
      // One that is being made finds this one when its turn comes.
      if (other?.state !== 'pending') return { otherId: null };
      await ctx.fabrics.inTurn(linkId(row, other), async () =>
        (await keeperOf(ctx, row.vpcId)).ensure(await linkSpec(ctx, row, other), call),
      );
      return { otherId: other.id };
    },
    undo: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(peering, params.id);
      const other = await otherSide(ctx.reader, row);
      if (other !== undefined) await takeApart(ctx, row, linkId(row, other), call);
    },
  })
  .write('linked', {
    do: ({ params: { id }, out: { link } }) =>
      link.otherId === null
        ? [transition(peering, id, { from: 'creating', to: 'pending' })]
        : [
            transition(peering, id, { from: 'creating', to: 'active' }),
            transition(peering, link.otherId, { from: 'pending', to: 'active' }),
          ],
    undo: ({ params: { id }, out: { link } }) => [
      revert(peering, id, { from: ['pending', 'active'], to: 'creating' }),
      ...(link.otherId === null ? [] : [revert(peering, link.otherId, { from: 'active', to: 'pending' })]),
    ],
  })
  // Once more: a subnet that came or went meanwhile did not find an active link yet.
  .effect('subnets', { do: ({ ctx, params, call }) => remakeLink(ctx, params.id, call), undo: NOTHING_TO_UNDO })
  .build();

export const createPeering = (context: () => NetworkContext) =>
  defineAction({
    kind: peering,
    verb: 'create',
    description:
      'Agrees to a link with another VPC. It is there once the owner of the other VPC agrees, too, by a peering that names this one.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      vpcId: Type.String({ format: 'uuid' }),
      peerVpcId: peering.schema.properties.peerVpcId,
      sharesNames: peering.schema.properties.sharesNames,
    }),
    accept: async ({ id, input, projectId, principal, reader }) => {
      const own = await ownVpc(reader, input.vpcId, principal);
      const { peerVpcId, sharesNames } = input;
      if (peerVpcId === own.id) throw invalid('/peerVpcId', 'A VPC is not linked with itself.');
      (await context().fabrics.of(own)).keeper('peerings');
      const link = { vpcId: own.id, peerVpcId };
      const [same] = await reader.list(peering, both(equals('vpcId', own.id), equals('peerVpcId', peerVpcId)), { limit: 1 });
      if (same !== undefined)
        throw new CloudError('name_taken', `The peering ${same.name} leads there already.`, {
          pointer: '/peerVpcId',
          params: { field: 'peerVpcId', kind: peering.name },
        });
      const row = create(peering, { id, projectId, name: nameOr(input.name, peering, id), ...link, ...given({ sharesNames }) });
      return {
        params: { id, pair: pairOf(link) },
        statements: [...(await consented(reader, own, peerVpcId, principal)), row],
        keys: [pairOf(link)],
      };
    },
    // The other side has agreed, or taken that back, meanwhile.
    refused: (failure, statement) =>
      isOvertaken(failure, statement) || (failure.reason === 'in_use' && statement?.op === 'vacant') ? 'again' : undefined,
    saga: peeringCreation,
    context,
    unwound: ({ id }) => [transition(peering, id, { from: 'creating', to: 'deleted' })],
  });

export const updatePeering = updateAction(peering, ['sharesNames']);

/**
 * What must hold when this side agrees. Nothing is told of a VPC that the caller does not see before its owner has agreed: one that is not there is as good.
 * @throws CloudError conflict
 */
async function consented(reader: Reader, own: RowOf<typeof vpc>, peerVpcId: string, principal: Principal): Promise<readonly Statement[]> {
  const other = await otherSide(reader, { vpcId: own.id, peerVpcId });
  const peer = await reader.find(vpc, peerVpcId);
  const isLive = peer !== undefined && peer.deletedAt === undefined;
  const seen =
    isLive && (other !== undefined || (await isVisible(vpc, peer, principal, readPermission(vpc), reader, { allProjects: false })));
  if (seen) await refusePeer(reader, own, peer);
  if (other === undefined || !isLive)
    return [expectState(vpc, own.id, ['available']), ...(other === undefined ? [nobody({ vpcId: peerVpcId, peerVpcId: own.id })] : [])];
  // The subnets of both are compared with one another from now on.
  return [vpcChanges(own), vpcChanges(peer), expectState(peering, other.id, [other.state])];
}

const nobody = (where: { readonly vpcId: string; readonly peerVpcId: string }): Statement => ({ op: 'vacant', table: peering.name, where });

/** @throws CloudError conflict */
async function refusePeer(reader: Reader, own: RowOf<typeof vpc>, peer: RowOf<typeof vpc>): Promise<void> {
  const refuse = (message: string) => new CloudError('conflict', message, { pointer: '/peerVpcId' });
  if (peer.driver !== own.driver) throw refuse('The two VPCs are made by different drivers.');
  const theirs = (await subnetsOf(reader, peer.id)).flatMap(({ cidr }) => parseCidr(cidr) ?? []);
  const theirRoutes = await routedTo(reader, peer.id);
  for (const { name, cidr } of await subnetsOf(reader, own.id)) {
    const range = parseCidr(cidr);
    if (range === undefined) continue;
    if (theirs.some((other) => overlaps(range, other))) throw refuse(`The subnet ${name} (${cidr}) overlaps with one of the other VPC.`);
    if (theirRoutes.some((other) => isSame(range, other)))
      throw refuse(`A route of the other VPC leads elsewhere with the addresses of the subnet ${name} (${cidr}).`);
  }
  const hidden = (await routedTo(reader, own.id)).find((range) => theirs.some((other) => isSame(range, other)));
  if (hidden !== undefined)
    throw refuse(
      `A route of this VPC leads to ${formatAddress(hidden.family, hidden.base)}/${hidden.prefix}, which is a subnet of the other.`,
    );
}

/** The other side, in whatever state: of two that go together each takes the link away. */
async function unlink(ctx: NetworkContext, row: PeeringRow, call: Call): Promise<PeeringRow | undefined> {
  const other = await otherSide(ctx.reader, row);
  await takeApart(ctx, row, other === undefined ? row.id : linkId(row, other), call);
  return other;
}

const peeringRemoval = saga<NetworkContext, PeeringParams>('peering.remove', 1)
  .effect('unlink', {
    do: async ({ ctx, params, call }) => {
      await unlink(ctx, await ctx.reader.get(peering, params.id), call);
    },
    undo: FORWARD_ONLY,
  })
  .effect('other', {
    do: async ({ ctx, params }) => {
      const other = await otherSide(ctx.reader, await ctx.reader.get(peering, params.id));
      return { activeId: other?.state === 'active' ? other.id : null };
    },
    undo: NOTHING_TO_UNDO,
    needed: true,
  })
  .write('deleted', {
    do: ({ params: { id }, out: { other } }) => [
      transition(peering, id, { from: 'deleting', to: 'deleted' }),
      ...(other.activeId === null ? [] : [transition(peering, other.activeId, { from: 'active', to: 'pending' })]),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

export const peeringDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: peering,
    from: ['pending', 'active'],
    remove: peeringRemoval,
    context,
    params: (row: PeeringRow): PeeringParams => ({ id: row.id, pair: pairOf(row) }),
    shares: ({ pair }) => [pair],
  });
