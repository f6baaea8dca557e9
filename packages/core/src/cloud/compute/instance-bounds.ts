import { type AcceptRequest, CloudError, type RowOf, usable } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { clusterOf, type NicPlace, unconnectedToAny } from '../network/contract.ts';
import { type PlacementRequest, placementGroup } from '../placement/contract.ts';
import { pool } from '../storage/contract.ts';
import type { ComputeServices } from './context.ts';
import type { instance } from './instance.ts';
import type { InstanceInput } from './instance-input.ts';
import type { instanceType } from './instance-type.ts';
import { namedHost } from './named-host.ts';

export type Bounds = Pick<
  PlacementRequest,
  'onlyHosts' | 'clusterId' | 'unconnected' | 'reaching' | 'hostLabels' | 'tolerations' | 'placementGroupId'
>;

/** Where a new machine may go, by all that it is bound to. @throws CloudError conflict when that lies on different hosts */
export async function boundTo(
  services: Pick<ComputeServices, 'fabrics'>,
  { input, principal, reader }: AcceptRequest<typeof instance, InstanceInput>,
  type: RowOf<typeof instanceType>,
  places: readonly NicPlace[],
  poolIds: readonly string[],
): Promise<Bounds> {
  const asked = input.hostId === undefined ? undefined : (await namedHost(reader, principal, input.hostId)).id;
  const pools = await Promise.all(poolIds.map((id) => reader.get(pool, id)));
  const bound = [
    { what: 'the host asked for', hostId: asked },
    ...places.map(({ network }) => ({ what: `network ${network.name}`, hostId: network.hostId })),
    ...pools.map(({ name, hostId }) => ({ what: `a disk in pool ${name}`, hostId })),
  ].filter(({ hostId }) => hostId !== undefined);
  const pins = [...new Set(bound.map(({ hostId }) => hostId as string))];
  if (pins.length > 1) {
    // One of each host says it: what to leave out, or to choose elsewhere.
    const parts = pins.map((pin) => bound.find(({ hostId }) => hostId === pin)?.what).join(', ');
    throw new CloudError('conflict', `Each of these is on a host of its own, and a machine is on one: ${parts}.`, {
      params: { hosts: pins },
    });
  }
  if (input.placementGroupId !== undefined) await usable(reader, placementGroup, input.placementGroupId, principal, '/placementGroupId');
  const networks = places.map((place) => place.network);
  return given({
    onlyHosts: pins.length === 0 ? undefined : pins,
    clusterId: await clusterOf(reader, networks),
    unconnected: await unconnectedToAny({ fabrics: services.fabrics, reader }, networks),
    reaching: pools.length === 0 ? undefined : poolIds,
    hostLabels: labelsOf(type.hostLabels, input.hostLabels),
    tolerations: type.tolerations,
    placementGroupId: input.placementGroupId,
  }) as Bounds;
}

/** @throws CloudError invalid_input when no host can have both */
function labelsOf(byType: Bounds['hostLabels'] = {}, byRequest: Bounds['hostLabels'] = {}): Bounds['hostLabels'] {
  for (const [label, value] of Object.entries(byRequest))
    if ((byType[label] ?? value) !== value)
      throw new CloudError('invalid_input', `The instance type asks for ${label}=${byType[label]}.`, { pointer: `/hostLabels/${label}` });
  const both = { ...byType, ...byRequest };
  return Object.keys(both).length === 0 ? undefined : both;
}
