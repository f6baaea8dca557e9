import { KEPT_SORTS, type SimCloud } from '@pileus/core/testing';
import type { Mirror } from './mirror.ts';
import type { Site } from './site.ts';

/** Until an empty fabric is known to be lost. */
const LOST_MS = 60_000;
/** Until all that a fabric has was looked at, and what one look makes possible is made by the next. */
const LOOKS_MS = 120_000;

/** What the fabric has, by its sort and id, in words that compare. */
type Picture = ReadonlyMap<string, string>;

/**
 * What is wrong with the fabric of all hosts when everything is at rest: whatever it has is what would be there, had all of it been made from the rows alone just now.
 * It is made so: all of it is forgotten. With the mark that it is known by it is lost, and rebuilt when whoever runs the cloud says so; else a new life of the control
 * plane looks at it.
 */
export async function unlikeRows(sim: SimCloud, mirror: Mirror, site: Site, isLost: boolean): Promise<readonly string[]> {
  const left = pictureOf(sim, mirror, site);
  const { fabric } = sim.world;
  for (const sort of KEPT_SORTS) fabric.kept.of(sort).clear();
  fabric.networks.clear();
  if (isLost) {
    fabric.kept.clear();
    const problems = await rebuilt(sim, mirror);
    if (problems.length > 0) return problems;
  } else
    for (const hostId of [...mirror.rows('host').keys()].slice(0, 1)) {
      sim.crash();
      await sim.start();
      await sim.done('host.reconnect', {}, hostId);
    }
  await sim.run(LOOKS_MS);
  mirror.sync();
  const made = pictureOf(sim, mirror, site);
  return [...new Set([...left.keys(), ...made.keys()])].flatMap((what) =>
    left.get(what) === made.get(what) ? [] : [`the fabric has ${what} as ${left.get(what)}, by the rows it were ${made.get(what)}`],
  );
}

/** What is wrong with how a fabric is treated that has come back empty: nobody writes to it until an operator says so. */
async function rebuilt(sim: SimCloud, mirror: Mirror): Promise<readonly string[]> {
  const { fabric } = sim.world;
  await sim.run(LOST_MS);
  mirror.sync();
  const lost = [...mirror.rows('fabric').values()].find(({ state }) => state === 'lost');
  if (lost === undefined) return ['a fabric has come back empty, and nobody knows that it is lost'];
  const answer = await sim.submit('vpc.create', { name: 'beside' }).then(
    () => 'accepted',
    ({ code }: { readonly code?: string }) => code,
  );
  const written = fabric.networks.size + KEPT_SORTS.reduce((sum, sort) => sum + fabric.kept.of(sort).size, 0);
  if (answer !== 'conflict' || written > 0) return [`a fabric is lost, ${written} things were written to it, and another VPC is ${answer}`];
  await sim.done('fabric.rebuild', {}, String(lost.id));
  return [];
}

function pictureOf(sim: SimCloud, mirror: Mirror, { planted }: Site): Picture {
  const { fabric } = sim.world;
  const isPlanted = (id: string) => planted.some((each) => each.id === id);
  const picture = new Map<string, string>();
  for (const sort of KEPT_SORTS)
    for (const { spec } of fabric.kept.of(sort).values()) if (!isPlanted(spec.id)) picture.set(`${sort} ${spec.id}`, told(spec));
  for (const { spec, ports } of fabric.networks.values()) {
    picture.set(`network ${spec.id}`, told({ ...spec, subnets: spec.subnets.toSorted((a, b) => (a.id < b.id ? -1 : 1)) }));
    for (const { outboundBytesPerSecond, ...port } of ports.values()) {
      // A machine that does not run gets its limits when it starts.
      const { state } = mirror.row('instance', mirror.row('nic', port.nicId)?.instanceId) ?? {};
      picture.set(`port ${port.nicId}`, told({ ...port, ...(state === 'running' ? { outboundBytesPerSecond } : {}) }));
    }
  }
  return picture;
}

/** In a fixed order of fields. */
const told = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
