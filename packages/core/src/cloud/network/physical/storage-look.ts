import { announce, canonical, change, describeChain, equals, type Id, type Json, type RowOf, timestamp } from '../../../kernel/index.ts';
import type { CloudServices } from '../../services.ts';
import { host, hostLinks } from '../../topology/contract.ts';
import { hostStorageNetworkDegraded, hostStorageNetworkRecovered } from '../points.ts';
import { physicalNetwork } from './physical-network.ts';
import { storageBond, storagePlacement, storageSpeedMbits } from './settings.ts';
import { type SeenNetwork, type StorageNetwork, storageWay } from './storage-findings.ts';

type HostRow = RowOf<typeof host>;

/**
 * Whether hosts reach the physical networks that carry storage as the operator wants it: by links that are fast enough, bonded, in no tunnel, and not shared with
 * machines. By what somebody on the host tells of its links; of a host where nobody is nothing is assumed. It changes nothing but what the host's row shows.
 */
export class StorageNetworkLook {
  readonly #services: CloudServices;
  /** Hosts of which the last look was told nothing. It takes two before what was known is given up. */
  readonly #untold = new Set<string>();

  constructor(services: CloudServices) {
    this.#services = services;
  }

  async look(hostId: string): Promise<void> {
    const { reader, environment } = this.#services;
    try {
      const row = await reader.find(host, hostId);
      if (row !== undefined && row.deletedAt === undefined) await this.#lookAt(row);
    } catch (error) {
      environment.logger.warn({ hostId, error: describeChain(error) }, 'look at the storage networks of a host failed');
    }
  }

  async #lookAt(row: HostRow): Promise<void> {
    const { reader, kernel, settings } = this.#services;
    const all = (await reader.list(physicalNetwork, equals('clusterId', row.clusterId))).filter(({ state }) => state === 'available');
    const own = all.filter(({ role }) => role === 'storage');
    if (own.length === 0) {
      if (row.storageNetworkStatus !== undefined) await this.#show(row, null, null);
      return;
    }
    const links = (await kernel().registry.hooks.collect(hostLinks, { hostId: row.id })).find((told) => told !== undefined);
    if (links === 'pending' || (links === undefined && !this.#isSure(row))) return;
    if (links !== undefined) this.#untold.delete(row.id);
    const [speedMbits, bond, placement] = await Promise.all([
      settings.at(storageSpeedMbits, host, row.id),
      settings.at(storageBond, host, row.id),
      settings.at(storagePlacement, host, row.id),
    ]);
    const others = all.filter(({ role }) => role === 'tenant' || role === 'external');
    const seen = own.map((of) => storageWay(of, links, { speedMbits, bond }, others));
    const found = seen.flatMap(({ findings }) => findings);
    const isUnfit = placement === 'refuse' && found.some(({ level }) => level === 'error');
    const status = links === undefined ? 'unknown' : isUnfit ? 'unfit' : found.length > 0 ? 'warned' : 'fit';
    await this.#show(row, status, this.#since(row, seen));
  }

  #isSure({ id, storageNetworkStatus }: HostRow): boolean {
    if (storageNetworkStatus === undefined || storageNetworkStatus === 'unknown' || this.#untold.has(id)) return true;
    this.#untold.add(id);
    return false;
  }

  /** What was found before has been so since then. */
  #since({ storageNetworks = [] }: HostRow, seen: readonly SeenNetwork[]): StorageNetwork[] {
    const now = timestamp(this.#services.environment.clock);
    return seen.map((network) => {
      const before = storageNetworks.find(({ physicalNetworkId }) => physicalNetworkId === network.physicalNetworkId)?.findings ?? [];
      const findings = network.findings.map((found) => ({ ...found, since: before.find(({ code }) => code === found.code)?.since ?? now }));
      return { ...network, findings };
    });
  }

  /** As long as nothing else has changed the row: else the next look decides. */
  async #show(row: HostRow, status: NonNullable<HostRow['storageNetworkStatus']> | null, networks: StorageNetwork[] | null): Promise<void> {
    const isSame = (row.storageNetworkStatus ?? null) === status && same(row.storageNetworks ?? null, networks);
    if (isSame) return;
    const { kernel, ids } = this.#services;
    const [before, now] = [codesOf(row.storageNetworks), codesOf(networks)];
    const hostId = row.id as Id<'host'>;
    const isWorse = [...now].some((code) => !before.has(code));
    const findings = [...new Set([...now].map((code) => code.slice(code.indexOf(' ') + 1)))];
    await kernel().observe([
      change(host, hostId, { storageNetworkStatus: status, storageNetworks: networks }, { generation: row.generation }),
      ...(isWorse ? [announce(hostStorageNetworkDegraded, ids.mint('notice'), { hostId, findings })] : []),
      ...(before.size > 0 && now.size === 0 ? [announce(hostStorageNetworkRecovered, ids.mint('notice'), { hostId })] : []),
    ]);
  }
}

const same = (a: unknown, b: unknown): boolean => canonical(a as Json) === canonical(b as Json);

/** What is found of which physical network, and how bad it is. */
const codesOf = (networks: readonly StorageNetwork[] | null | undefined): ReadonlySet<string> =>
  new Set((networks ?? []).flatMap(({ physicalNetworkId, findings }) => findings.map(({ code }) => `${physicalNetworkId} ${code}`)));
