import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { killEnclosure, runEnclosed, startPlainEnclosure } from '../../../tools/system/enclosure.ts';
import { OvnCentral } from '../../../tools/system/ovn-central.ts';
import { fabricNetns, ipBatch } from '../fabric.ts';
import type { LabHost } from '../host.ts';
import { until } from '../waiting.ts';
import { centralAddress, TUNNEL_MTU } from './host-switch.ts';
import { Internet } from './internet.ts';

/** What a lab with OVN has beside its hosts: OVN's central part, and the external network with the internet behind it. */
export class LabOvn {
  /** Its daemons: `northbound`, `southbound`, `northd`. */
  readonly central: OvnCentral;
  readonly internet: Internet;
  /** Where the databases are reached from this machine, and from the hosts. */
  readonly northbound: { readonly host: string; readonly port: number };
  readonly southbound: { readonly host: string; readonly port: number };
  readonly #slot: number;
  readonly #rootDir: string;

  constructor(slot: number, labDir: string) {
    this.#slot = slot;
    this.#rootDir = join(labDir, 'ovn');
    const address = centralAddress(slot);
    this.central = new OvnCentral({
      dir: join(this.#rootDir, 'central'),
      address,
      run: (argv, options) => runEnclosed(this.#rootDir, argv, options),
    });
    this.northbound = { host: address, port: 6641 };
    this.southbound = { host: address, port: 6642 };
    this.internet = new Internet(slot, this.#rootDir);
  }

  async start(): Promise<void> {
    const fabric = fabricNetns(this.#slot);
    await ipBatch(fabric, [
      'link add underlay type bridge',
      `link set underlay mtu ${TUNNEL_MTU} up`,
      'link add external type bridge',
      'link set external up',
    ]);
    await mkdir(this.#rootDir, { recursive: true });
    await startPlainEnclosure({ rootDir: this.#rootDir, host: { name: 'central', netns: fabric } });
    await Promise.all([this.central.start(), this.internet.start()]);
  }

  /** Returns when OVN knows these hosts, and they have the flows of what there is. */
  async joined(hosts: readonly LabHost[]): Promise<void> {
    const names = hosts.map(({ name }) => name);
    await until(`${names.join(', ')} in OVN`, async () => {
      const known = (await this.central.sbctl('--bare', '--columns=hostname', 'list', 'chassis')).split('\n');
      return names.every((name) => known.includes(name)) ? true : undefined;
    });
    await this.central.settle();
  }

  /** Ends all of it. Works on what was half made, and again on what is gone. */
  async down(): Promise<void> {
    await killEnclosure(this.#rootDir);
    await this.internet.remove();
  }
}
