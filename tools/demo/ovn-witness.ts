import type { OvnCentral } from '../system/ovn-central.ts';
import { ovnRows } from '../system/ovn-rows.ts';
import type { OvsHost } from '../system/ovs-host.ts';
import type { LookAround } from './ground.ts';

/** Looks at libvirt, OVN and the switch with their own programs. */
export class OvnWitness {
  readonly place = 'libvirt, OVN and the switch themselves';
  readonly #libvirt: Pick<LookAround, 'begin' | 'residue'>;
  readonly #central: OvnCentral;
  readonly #ovs: OvsHost;
  #before: readonly string[] = [];

  constructor(libvirt: Pick<LookAround, 'begin' | 'residue'>, { central, ovs }: { readonly central: OvnCentral; readonly ovs: OvsHost }) {
    this.#libvirt = libvirt;
    this.#central = central;
    this.#ovs = ovs;
  }

  async begin(): Promise<void> {
    await this.#libvirt.begin();
    this.#before = await this.#things();
  }

  async residue(): Promise<readonly string[]> {
    // What was deleted in the one database is so in the other when northd and the host have come to it.
    await this.#ovs.unplugNeedless();
    await this.#central.settle();
    const things = (await this.#things()).filter((line) => !this.#before.includes(line));
    return [...(await this.#libvirt.residue()), ...things];
  }

  /** Rows of OVN and of the switch, one line each. */
  async #things(): Promise<readonly string[]> {
    const [north, south, ovs] = await Promise.all([
      ovnRows(this.#central.northboundRemote, 'OVN_Northbound'),
      ovnRows(this.#central.southboundRemote, 'OVN_Southbound'),
      this.#ovs.rows(),
    ]);
    return [...north, ...south, ...ovs];
  }
}
