import type { Operation } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';
import type { Mirror, Row, Touched } from './mirror.ts';

/** What brings a machine to a host, or a NIC to a machine. */
const BRINGING = /^instance\.(create|start|migrate|evacuate|attachNic)$/;
const OFF = new Set<unknown>(['creating', 'stopped', 'crashed', 'missing']);
/** Until a host that has lost its cables is shown, and what it carried is carried by others. */
const LOOKS_MS = 120_000;

/** When a host lost what leads from it to physical networks, in milliseconds of the clock; undefined while it leads there. */
export type LostSince = (hostname: string) => number | undefined;

/**
 * Whoever asks for something after a host has lost what leads to physical networks gets nothing there that needs it: the driver tells what it knows at once. What was
 * asked for before that may have been decided already.
 */
export class FabricWatch {
  readonly #mirror: Mirror;
  readonly #lostSince: LostSince;
  readonly #say: (problem: string) => void;
  readonly #nowMs: () => number;
  /** By machine: when it last came to its host, or began to run there. */
  readonly #cameMs = new Map<string, number>();

  constructor(mirror: Mirror, lostSince: LostSince, nowMs: () => number, say: (problem: string) => void) {
    this.#mirror = mirror;
    this.#lostSince = lostSince;
    this.#nowMs = nowMs;
    this.#say = say;
  }

  committed(touched: readonly Touched[]): void {
    for (const { table, id, before, after } of touched) {
      const begins = after?.state === 'running' && OFF.has(before?.state);
      if (table === 'instance' && after !== undefined && (begins || after.hostId !== before?.hostId)) this.#cameMs.set(id, this.#nowMs());
    }
    // One that had nothing to do has succeeded when it is accepted.
    for (const { table, before, after } of touched)
      if (table === 'operation' && after?.state === 'succeeded' && before !== undefined && before.state !== 'succeeded')
        this.#succeeded(after as unknown as Operation & { readonly createdAt: string });
  }

  #succeeded({ id, action, resourceId, createdAt }: Operation & { readonly createdAt: string }): void {
    const isLost = (name: string) => (this.#lostSince(name) ?? Number.POSITIVE_INFINITY) < Date.parse(createdAt);
    if (BRINGING.test(action)) {
      const name = this.#hostOf(resourceId);
      // One that was asked for meanwhile is looked at in its turn.
      const isOf = ({ createdAt: since }: Row) =>
        action === 'instance.attachNic' ? String(since) >= createdAt : String(since) <= createdAt;
      const needing = this.#wired(resourceId).filter(isOf);
      // One that runs already is started by doing nothing.
      const isBrought = action === 'instance.attachNic' || (this.#cameMs.get(resourceId) ?? 0) >= Date.parse(createdAt);
      if (name !== undefined && isBrought && needing.length > 0 && isLost(name))
        this.#say(`${action} ${id} of ${resourceId} has succeeded on ${name}, which did not lead to the network of NIC ${needing[0]?.id}`);
    }
    if (action === 'elasticIp.bind') {
      const { nicId, distributed } = this.#mirror.row('elasticIp', resourceId) ?? {};
      const name = distributed === true ? this.#hostOf(this.#mirror.row('nic', nicId)?.instanceId) : undefined;
      if (name !== undefined && isLost(name)) this.#say(`${action} ${id}: ${resourceId} is to leave from ${name}, which did not lead out`);
    }
    if (action === 'natGateway.create' && carriers(this.#mirror, this.#mirror.row('natGateway', resourceId)).every(isLost))
      this.#say(`${action} ${id} has succeeded, and no host led out`);
  }

  #hostOf(instanceId: unknown): string | undefined {
    const row = this.#mirror.row('host', this.#mirror.row('instance', instanceId)?.hostId);
    return row === undefined ? undefined : String(row.name);
  }

  /** NICs of a machine on physical networks. */
  #wired(instanceId: unknown): readonly Row[] {
    return [...this.#mirror.rows('nic').values()].filter((nic) => nic.instanceId === instanceId && isWired(this.#mirror, nic));
  }
}

const isWired = (mirror: Mirror, { networkId }: Row): boolean => mirror.row('network', networkId)?.physicalNetworkId !== undefined;

/** Names of the hosts that may lead out for a gateway. */
function carriers(mirror: Mirror, gateway: Row | undefined): readonly string[] {
  const external = mirror.row('network', gateway?.externalNetworkId);
  const { clusterId } = mirror.row('physicalNetwork', external?.physicalNetworkId) ?? {};
  return [...mirror.rows('host').values()].filter((row) => row.clusterId === clusterId).map(({ name }) => String(name));
}

/**
 * Of a cloud at rest: one of its hosts loses its cables and has them again. Meanwhile it is shown, if machines that run there need them, and carries no gateway that
 * another may carry; afterwards it is shown no more. That all is as the rows say then is told by `unlikeRows`.
 */
export async function unseenLosses(
  sim: SimCloud,
  mirror: Mirror,
  cut: (hostname: string, isCut: boolean) => void,
): Promise<readonly string[]> {
  const problems: string[] = [];
  const shown = (row: Row | undefined) => JSON.stringify(row?.networkTroubles ?? []);
  for (const row of mirror.rows('host').values())
    if (shown(row) !== '[]') problems.push(`host ${row.name} is still shown with ${shown(row)}`);
  const needing = [...mirror.rows('nic').values()]
    .filter((nic) => nic.state === 'attached' && isWired(mirror, nic))
    .map(({ instanceId }) => mirror.row('instance', instanceId))
    .find((row) => row?.state === 'running');
  const carrying = (id: unknown): readonly string[] =>
    (sim.world.fabric.kept.of('gateways').get(String(id))?.spec as { readonly hosts?: readonly string[] } | undefined)?.hosts ?? [];
  const [first] = [...mirror.rows('natGateway').keys()].flatMap(carrying);
  const name = String(mirror.row('host', needing?.hostId)?.name ?? first);
  const lost = () => [...mirror.rows('host').values()].find((row) => row.name === name);
  if (problems.length > 0 || lost() === undefined) return problems;
  cut(name, true);
  await sim.run(LOOKS_MS);
  mirror.sync();
  if (needing !== undefined && !shown(lost()).includes('is not connected to network'))
    problems.push(`host ${name} does not lead to what machines need that run there, and is shown with ${shown(lost())}`);
  for (const { id, externalNetworkId } of mirror.rows('natGateway').values()) {
    const others = carriers(mirror, { externalNetworkId }).filter((each) => each !== name);
    const hosts = carrying(id);
    if (others.length > 0 && hosts.includes(name)) problems.push(`gateway ${id} is still to be carried by ${name}: ${hosts.join()}`);
  }
  cut(name, false);
  await sim.run(LOOKS_MS);
  mirror.sync();
  if (shown(lost()) !== '[]') problems.push(`host ${name} has its cables again, and is shown with ${shown(lost())}`);
  return problems;
}
