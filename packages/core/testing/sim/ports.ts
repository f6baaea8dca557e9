import type { PortSpec } from '../../src/strategy/index.ts';

/** The ports of a network by NIC, found by MAC and address too. */
export class SimPorts extends Map<string, PortSpec> {
  readonly #holders = new Map<string, string>();

  /** Another port with its MAC or one of its addresses. */
  clash(port: PortSpec): string | undefined {
    return namesOf(port)
      .map((name) => this.#holders.get(name))
      .find((nicId) => nicId !== undefined && nicId !== port.nicId);
  }

  override set(nicId: string, port: PortSpec): this {
    this.delete(nicId);
    for (const name of namesOf(port)) this.#holders.set(name, nicId);
    return super.set(nicId, port);
  }

  override delete(nicId: string): boolean {
    const port = this.get(nicId);
    if (port !== undefined) for (const name of namesOf(port)) this.#holders.delete(name);
    return super.delete(nicId);
  }
}

const namesOf = ({ mac, addresses }: PortSpec): readonly string[] => [mac, ...addresses];
