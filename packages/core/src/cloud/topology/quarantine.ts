import { change, create, equals, expectState, type Id, type KernelServices, type RowOf, transition } from '../../kernel/index.ts';
import { nameOr } from '../naming.ts';
import { host } from './host.ts';
import { stray } from './stray.ts';

type StrayRow = RowOf<typeof stray>;

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
  const { reader, kernel, ids, environment } = services;
  const known = (await reader.list(stray, equals('hostId', ground.hostId))).filter(
    (row) => row.place === ground.place && row.objectKind === ground.objectKind,
  );
  for (const sighting of found.filter((entry) => !known.some((row) => row.objectId === entry.objectId))) {
    const id: Id<'stray'> = ids.mint('stray');
    // `exists` means that another look recorded it meanwhile. To a host that is being deleted nothing comes any more: the look has begun before.
    const { ok } = await kernel().observe([
      expectState(host, ground.hostId, ['enabled', 'disabled', 'maintenance']),
      create(stray, { ...ground, ...sighting, id, name: nameOr(undefined, stray, id) }),
    ]);
    if (ok) environment.logger.warn({ ...ground, objectId: sighting.objectId }, 'unknown object with our mark; quarantined');
  }
  for (const row of known) {
    if (row.state !== 'quarantined' || kernel().holds(row.id)) continue;
    const seen = found.find((entry) => entry.objectId === row.objectId);
    const expect = { generation: row.generation };
    if (seen === undefined) await kernel().observe([transition(stray, row.id, { from: 'quarantined', to: 'deleted', expect })]);
    else if (differs(seen, row)) await kernel().observe([change(stray, row.id, seen, expect)]);
  }
}

const differs = (seen: Found, row: Found): boolean =>
  seen.objectName !== row.objectName || JSON.stringify(seen.details) !== JSON.stringify(row.details);
