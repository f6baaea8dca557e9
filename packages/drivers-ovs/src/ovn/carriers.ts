import type { GatewaySpec } from '@pileus/core/strategy';
import { Bounds } from './bounds.ts';
import { Changes } from './changes.ts';
import { type Carrier, carrierPriority, HOST_NOTE } from './compile/gateway.ts';
import { carriedPortName } from './names.ts';
import type { Northbound } from './northbound.ts';
import type { Southbound } from './southbound.ts';

/** Who takes a gateway over keeps it, if he still has it after so long: at the beginning hosts do not see each other yet. */
const SETTLED_MS = 1_000;
const PATIENCE_MS = 30_000;

interface Ranked {
  readonly uuid: string;
  readonly name: string;
  readonly host: string | undefined;
  readonly priority: number;
}

/**
 * Which hosts carry gateways. OVN gives a gateway back to the host of the highest priority as soon as that is back, and all connections through it pause once
 * more. So whoever has taken one over is given the highest priority.
 */
export class Carriers {
  readonly #northbound: Northbound;
  readonly #southbound: Southbound;
  readonly #waiting = new Map<string, NodeJS.Timeout>();
  readonly #unsubscribe: () => void;

  constructor(northbound: Northbound, southbound: Southbound) {
    this.#northbound = northbound;
    this.#southbound = southbound;
    this.#unsubscribe = southbound.replica.subscribe((event) => {
      if (event.kind !== 'changes') return;
      for (const change of event.changes)
        if (change.table === 'Port_Binding' && change.row?.type === 'chassisredirect') this.#watch(change.row.logical_port);
    });
  }

  /** Host name of who carries it now. */
  active(gatewayId: string): string | undefined {
    return this.#southbound.bindingOf(carriedPortName(gatewayId))?.chassis.hostname;
  }

  /** Who may carry it, in the order of preference: who has it stays the first. */
  order({ id, hosts }: Pick<GatewaySpec, 'id' | 'hosts'>): readonly Carrier[] {
    const ranked = this.#ranked(id);
    // Of a host that has told nothing since we look, its row knows the name. One that OVN has never heard of is expected to be called as it is.
    const chassisOf = (host: string) => this.#southbound.chassisOf(host) ?? ranked.find((row) => row.host === host)?.name ?? host;
    const wanted = hosts.map((host) => ({ host, chassis: chassisOf(host) }));
    const active = this.#southbound.bindingOf(carriedPortName(id))?.chassis.name ?? ranked[0]?.name;
    const first = wanted.find(({ chassis }) => chassis === active);
    return first === undefined ? wanted : [first, ...wanted.filter((each) => each !== first)];
  }

  close(): void {
    this.#unsubscribe();
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  /** As they are ranked now, the first first. */
  #ranked(gatewayId: string): readonly Ranked[] {
    const { inventory } = this.#northbound;
    return [...inventory.rowsOf(`gateways/${gatewayId}`)]
      .flatMap(([uuid, table]) => (table === 'HA_Chassis' ? (inventory.tables.HA_Chassis.get(uuid) ?? []) : []))
      .map((row) => ({ uuid: row._uuid, name: row.chassis_name, host: row.external_ids[HOST_NOTE], priority: row.priority }))
      .sort((a, b) => b.priority - a.priority);
  }

  #watch(port: string): void {
    const prefix = carriedPortName('');
    if (!port.startsWith(prefix)) return;
    const id = port.slice(prefix.length);
    clearTimeout(this.#waiting.get(id));
    const timer = setTimeout(() => {
      this.#waiting.delete(id);
      // What fails here is done by the next change of who carries it, or when the gateway is ensured.
      this.#follow(id).catch(() => {});
    }, SETTLED_MS);
    this.#waiting.set(id, timer.unref());
  }

  async #follow(id: string): Promise<void> {
    const bounds = new Bounds({ signal: new AbortController().signal, timeoutMs: PATIENCE_MS });
    await this.#northbound.change(`ranking the hosts of gateway ${id}`, bounds, () => {
      const changes = new Changes();
      const ranked = this.#ranked(id);
      const active = this.#southbound.bindingOf(carriedPortName(id))?.chassis.name;
      const first = ranked.find(({ name }) => name === active);
      if (first === undefined || first === ranked[0]) return { changes, touched: [] };
      [first, ...ranked.filter((each) => each !== first)].forEach(({ uuid, priority }, at, all) => {
        const wanted = carrierPriority(all.length, at);
        if (wanted !== priority) changes.update('HA_Chassis', uuid, { priority: wanted });
      });
      return { changes, touched: [`gateways/${id}`] };
    });
  }
}
