import { change, create, equals, expectState, type Id, type KernelServices, type RowOf, transition } from '../../kernel/index.ts';
import { nameOr } from '../naming.ts';
import { host } from './host.ts';
import { stray } from './stray.ts';

type StrayRow = RowOf<typeof stray>;

/** Written in one transaction. */
const RECORDED_AT_ONCE = 100;

/** Where and for what a module looked. */
export type Ground = Pick<StrayRow, 'hostId' | 'place' | 'objectKind'>;
/** Something with our mark that nothing explains. */
export type Found = Pick<StrayRow, 'objectId' | 'objectName' | 'details'>;

/**
 * Makes the strays of one ground be exactly those found by a complete look: new ones are recorded, changed ones show what they are now, those that are gone or
 * explained by now are dropped.
 * A look that finds the same as the last one writes nothing.
 */
export async function recordStrays(services: KernelServices, ground: Ground, found: readonly Found[]): Promise<void> {
  const { reader, kernel, slices } = services;
  const seen = new Map(found.map((entry) => [entry.objectId, entry]));
  const known = new Map<string, StrayRow>();
  for (const row of await slices.list(reader, stray, equals('hostId', ground.hostId)))
    if (row.place === ground.place && row.objectKind === ground.objectKind) known.set(row.objectId, row);
  const fresh = [...seen.values()].filter(({ objectId }) => !known.has(objectId));
  for (let from = 0; from < fresh.length; from += RECORDED_AT_ONCE)
    await record(services, ground, fresh.slice(from, from + RECORDED_AT_ONCE));
  await slices.each([...known.values()], async (row) => {
    if (row.state !== 'quarantined' || kernel().holds(row.id)) return;
    const now = seen.get(row.objectId);
    const expect = { generation: row.generation };
    if (now === undefined) await kernel().observe([transition(stray, row.id, { from: 'quarantined', to: 'deleted', expect })]);
    else if (differs(now, row)) await kernel().observe([change(stray, row.id, now, expect)]);
  });
}

/** All in one transaction. Where one of them was recorded by another look meanwhile (`exists`), each for itself: the others are recorded all the same. */
async function record(services: KernelServices, ground: Ground, fresh: readonly Found[]): Promise<void> {
  const { kernel, ids, environment } = services;
  const rows = fresh.map((entry) => {
    const id: Id<'stray'> = ids.mint('stray');
    return create(stray, { ...ground, ...entry, id, name: nameOr(undefined, stray, id) });
  });
  // To a host that is being deleted nothing comes any more: the look has begun before.
  const { ok } = await kernel().observe([expectState(host, ground.hostId, ['enabled', 'disabled', 'maintenance']), ...rows]);
  if (!ok && fresh.length > 1) for (const each of fresh) await record(services, ground, [each]);
  if (ok) for (const { objectId } of fresh) environment.logger.warn({ ...ground, objectId }, 'unknown object with our mark; quarantined');
}

const differs = (seen: Found, row: Found): boolean =>
  seen.objectName !== row.objectName || JSON.stringify(seen.details) !== JSON.stringify(row.details);
