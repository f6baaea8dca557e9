import type { Call, PortReadiness } from '@pileus/core/strategy';
import { everyRow, type OvnNorthbound, type OvsdbClient } from '../ovsdb/index.ts';
import { Bounds } from './bounds.ts';
import type { Northbound } from './northbound.ts';
import type { Southbound } from './southbound.ts';

/** How long one look waits for a host: who wants to know looks again. */
const PATIENCE_MS = 1_000;
const NUMBER_MS = 10_000;

/** Whether ports are ready to use. A port that is `up` may lack flows that came after it, so its host is asked how far it has got: its host alone. */
export class Readiness {
  readonly #northbound: Northbound;
  readonly #southbound: Southbound;
  readonly #configurations: Configurations;
  /** The configuration in which a port is as its row says. Rows are never changed: another row is another question. */
  readonly #needed = new WeakMap<object, number>();

  constructor(northbound: Northbound, southbound: Southbound) {
    this.#northbound = northbound;
    this.#southbound = southbound;
    this.#configurations = new Configurations(northbound.client);
  }

  async port(nicId: string, call: Call): Promise<PortReadiness> {
    const bounds = new Bounds(call);
    await this.#northbound.look(bounds);
    await this.#southbound.look(bounds);
    const port = this.#northbound.inventory.tables.Logical_Switch_Port.get(nicId);
    if (port === undefined || this.#northbound.inventory.marks(nicId) === undefined) return { state: 'absent' };
    const binding = this.#southbound.bindingOf(nicId);
    if (binding === undefined) return this.#unplugged(port.options['requested-chassis']);
    const { chassis, isUp } = binding;
    const host = chassis.hostname;
    if (port.up !== true || !isUp) return { state: 'waiting', host, waitsFor: `host ${host} to set up the port` };
    const needed = this.#needed.get(port) ?? (await this.#configurations.next(bounds));
    this.#needed.set(port, needed);
    const isThere = await this.#reaches(chassis.name, needed, bounds);
    return isThere ? { state: 'ready', host } : { state: 'waiting', host, waitsFor: `host ${host} to have all flows` };
  }

  #unplugged(host: string | undefined): PortReadiness {
    const isKnown = host === undefined || this.#southbound.hosts().some((each) => each.host === host);
    return { state: 'unplugged', waitsFor: isKnown ? 'a host to plug it in' : `host ${host}, which OVN does not know` };
  }

  async #reaches(chassis: string, configuration: number, bounds: Bounds): Promise<boolean> {
    const isThere = () => this.#southbound.configurationOf(chassis) >= configuration;
    const patience = { ...bounds.left, timeoutMs: Math.min(PATIENCE_MS, bounds.leftMs) };
    await this.#southbound.replica.until(isThere, patience).catch(() => {});
    return isThere();
  }
}

/** Numbers of configurations: hosts tell which they have reached. Those who ask at the same time get the same. */
export class Configurations {
  readonly #client: OvsdbClient<OvnNorthbound>;
  #current: Promise<number> | undefined;
  #next: Promise<number> | undefined;

  constructor(client: OvsdbClient<OvnNorthbound>) {
    this.#client = client;
  }

  /** A number that stands for all that was written before. Nobody's haste is that of the others who wait for it. */
  next(bounds: Bounds): Promise<number> {
    this.#next ??= this.#afterCurrent();
    return bounds.of(this.#next, 'a number of the configuration', () => 'unknown');
  }

  async #afterCurrent(): Promise<number> {
    await this.#current?.catch(() => 0);
    this.#current = this.#begin();
    this.#next = undefined;
    return this.#current;
  }

  async #begin(): Promise<number> {
    const { NB_Global } = this.#client.database.tables;
    const [, rows] = await this.#client.transact(
      [NB_Global.mutate(everyRow, { nb_cfg: { add: 1 } }), NB_Global.select(everyRow, ['nb_cfg'])],
      { timeoutMs: NUMBER_MS },
    );
    return rows[0]?.nb_cfg ?? 0;
  }
}
