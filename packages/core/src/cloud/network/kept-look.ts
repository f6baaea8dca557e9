import { type AnyKind, describeChain, type Id, type RowOf } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { type Found, recordStrays, removalAllowed, type StrayKind } from '../topology/contract.ts';
import type { Fabric } from './fabrics.ts';
import { ABOVE_NETWORKS, type AnyKept, BELOW_NETWORKS } from './kept-kinds.ts';

type AnyRow = RowOf<AnyKind>;

/** A fabric that is looked at through a host. */
export interface SharedGround {
  readonly hostId: Id<'host'>;
  readonly driver: string;
  readonly fabric: Fabric;
  readonly call: Call;
}

const isHeld = ({ kernel }: CloudServices, of: AnyKept, row: AnyRow): boolean =>
  [row.id, ...(of.keys?.(row) ?? [])].some((key) => kernel().holds(key));

/** Neither on its way in nor on its way out, and nobody at work on it. */
const isSettled = (services: CloudServices, of: AnyKept, row: AnyRow | undefined): row is AnyRow =>
  row !== undefined && row.deletedAt === undefined && row.state !== 'creating' && row.state !== 'deleting' && !isHeld(services, of, row);

/** Ids of those with our mark. */
async function listed(services: CloudServices, { fabric, call }: SharedGround, of: AnyKept): Promise<ReadonlySet<string>> {
  const seen = await fabric.keeper(of.sort).list(call);
  return new Set(seen.filter(({ owner }) => owner === services.cloudId).map(({ id }) => id));
}

/** Makes the objects of these sorts what their rows say, where that has changed behind our back. What cannot be mended now is tried again at the next look. */
export async function repairKept(services: CloudServices, ground: SharedGround, kinds: readonly AnyKept[]): Promise<void> {
  for (const of of kinds) {
    if (!ground.fabric.keeps(of.sort)) continue;
    const there = await listed(services, ground, of);
    const rows = await ownRows(services, ground, of);
    const each = async (ids: readonly string[], bare: boolean) => {
      for (const id of ids) await mend(services, ground, of, { id, isThere: there.has(id), bare });
    };
    // Those that name one another are there before any is whole.
    if (of.bare !== undefined)
      await each(
        rows.filter((id) => !there.has(id)),
        true,
      );
    await each(rows, false);
  }
}

/** Ids of settled rows that this fabric keeps. */
async function ownRows(services: CloudServices, { fabric }: SharedGround, of: AnyKept): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const row of await services.reader.list(of.kind))
    if (isSettled(services, of, row) && (await of.fabric(services, row).catch(() => undefined)) === fabric) ids.push(row.id);
  return ids;
}

interface Mending {
  readonly id: string;
  readonly isThere: boolean;
  readonly bare: boolean;
}

/** In turn with those who change it, and by the row as it is then. */
const mend = (services: CloudServices, { fabric, call }: SharedGround, of: AnyKept, { id, isThere, bare }: Mending): Promise<void> =>
  services.fabrics.inTurn(id, async () => {
    try {
      const row = await services.reader.find(of.kind, id);
      if (!isSettled(services, of, row)) return;
      const spec = await of.spec(services, row);
      const keeper = fabric.keeper(of.sort);
      if (spec !== undefined) await keeper.ensure(bare && of.bare !== undefined ? of.bare(spec) : spec, call);
      else if (isThere && (await removalAllowed(services))) await keeper.remove(id, call);
    } catch (error) {
      services.environment.logger.warn(
        { kind: of.kind.name, id, error: describeChain(error) },
        'an object of a network could not be mended',
      );
    }
  });

/** What was deleted or unwound and arrived after that goes again; what has our mark and is unknown is quarantined. Before that what uses it. */
export async function compareKept(services: CloudServices, ground: SharedGround, kinds: readonly AnyKept[]): Promise<void> {
  for (const of of kinds.toReversed()) {
    if (!ground.fabric.keeps(of.sort)) continue;
    const strays: Found[] = [];
    const ids = [...(await listed(services, ground, of))];
    const rows = await services.slices.named(services.reader, of.kind, ids);
    for (const id of ids) if (await isUnknown(services, ground, of, { id, row: rows.get(id) })) strays.push(found(of, id));
    const { hostId, driver: place } = ground;
    await recordStrays(services, { hostId, place, objectKind: of.kind.name as StrayKind }, strays);
  }
}

const found = ({ sort }: AnyKept, id: string): Found => ({ objectId: id, objectName: id, details: { sort } });

interface Seen {
  readonly id: string;
  readonly row: AnyRow | undefined;
}

/** Deleted rows are tombstones: their ids are never used again, so nothing else can be meant. */
async function isUnknown(services: CloudServices, { fabric, call }: SharedGround, of: AnyKept, { id, row }: Seen): Promise<boolean> {
  const { kernel, environment } = services;
  // What is deleted goes also while a deletion of more holds it: that may wait for just this.
  if (row?.deletedAt === undefined && kernel().holds(id)) return false;
  if (row === undefined) return true;
  if (row.deletedAt === undefined || !(await removalAllowed(services))) return false;
  environment.logger.info({ kind: of.kind.name, id }, 'late arrival of a deleted object of a network; removed');
  await fabric
    .keeper(of.sort)
    .remove(id, call)
    .catch((error: unknown) => environment.logger.warn({ kind: of.kind.name, id, error: describeChain(error) }, 'it stays for now'));
  return false;
}

/** An operator wants an unknown one gone. False for what is none of these. */
export async function removeStrayKept(services: CloudServices, objectKind: string, id: string, call: Call): Promise<boolean> {
  const of = [...BELOW_NETWORKS, ...ABOVE_NETWORKS].find(({ kind }) => kind.name === objectKind);
  if (of === undefined) return false;
  for (const driver of services.kernel().registry.strategyNames('network')) {
    if (services.fabrics.factory(driver).scope === 'host') continue;
    const fabric = await services.fabrics.of({ driver });
    if (!fabric.keeps(of.sort)) continue;
    const seen = (await fabric.keeper(of.sort).list(call)).find((each) => each.id === id);
    if (seen?.owner === services.cloudId) await fabric.keeper(of.sort).remove(id, call);
  }
  return true;
}
