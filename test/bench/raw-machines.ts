import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AffectFlag, domainRef, LibvirtHost, NetworkCommand, NetworkSection, networkRef, poolRef } from '@pileus/drivers-kvm/libvirt';

const INACTIVE = 2;
const BOTH = AffectFlag.live | AffectFlag.config;

/** One machine that the cloud has made, as the model for those made without it. */
export interface Model {
  readonly instanceId: string;
  readonly volumeId: string;
  readonly nicId: string;
  readonly mac: string;
  readonly networkId: string;
}

interface Parts {
  readonly domainXml: string;
  readonly volumeXml: string;
  readonly seedName: string;
  readonly seed: Buffer;
  readonly pool: { readonly name: string; readonly uuid: string };
}

/**
 * Makes machines with the least calls to libvirt that can make them, from the very definitions that the cloud gave to libvirt for the model: a disk over the
 * image, a seed, the address at DNS and DHCP, the domain, its start. Nothing is looked up, nothing is kept.
 */
export class RawMachines implements AsyncDisposable {
  readonly #host: LibvirtHost;
  readonly #model: Model;
  readonly #parts: Parts;

  private constructor(host: LibvirtHost, model: Model, parts: Parts) {
    this.#host = host;
    this.#model = model;
    this.#parts = parts;
  }

  static async open(socketPath: string, model: Model): Promise<RawMachines> {
    const host = new LibvirtHost({ address: { kind: 'unix', path: socketPath } });
    await host.ready();
    const { api } = host;
    const domainXml = await api.domainGetXmlDesc({ domain: domainRef(model.instanceId), flags: INACTIVE });
    const paths = [...domainXml.matchAll(/<source file='([^']+)'/g)].map(([, path]) => path ?? '');
    const diskPath = paths.find((path) => path.includes(model.volumeId)) ?? '';
    const seedPath = paths.find((path) => path.includes(model.instanceId)) ?? '';
    const disk = await api.storageVolLookupByPath({ path: diskPath });
    const diskXml = await api.storageVolGetXmlDesc({ volume: disk });
    const backing = /<backingStore>\s*<path>([^<]+)<\/path>/.exec(diskXml)?.[1] ?? '';
    const capacityBytes = /<capacity unit='bytes'>(\d+)</.exec(diskXml)?.[1] ?? '';
    const pool = await api.storagePoolLookupByName({ name: disk.pool });
    const volumeXml = `<volume><name>${disk.name}</name><capacity unit='bytes'>${capacityBytes}</capacity><allocation>0</allocation><target><format type='qcow2'/></target><backingStore><path>${backing}</path><format type='raw'/></backingStore></volume>`;
    const seed = await readFile(seedPath);
    const seedName = seedPath.slice(dirname(seedPath).length + 1);
    return new RawMachines(host, model, { domainXml, volumeXml, seedName, seed, pool });
  }

  /** From nothing to running. */
  async create(index: number): Promise<void> {
    const { api } = this.#host;
    const own = this.#own(index);
    const pool = poolRef(this.#parts.pool.uuid, this.#parts.pool.name);
    await api.storageVolCreateXml({ pool, xml: own(this.#parts.volumeXml) });
    for (const change of this.#addresses(index)) await api.networkUpdate({ ...change, command: NetworkCommand.addLast });
    const { seed } = this.#parts;
    const seedXml = `<volume><name>${own(this.#parts.seedName)}</name><capacity>${seed.length}</capacity><target><format type='raw'/></target></volume>`;
    const volume = await api.storageVolCreateXml({ pool, xml: seedXml });
    await this.#host.uploadVolume({ volume, source: [seed], lengthBytes: seed.length });
    const domain = await api.domainDefineXmlFlags({ xml: own(this.#parts.domainXml) });
    await api.domainCreateWithFlags({ domain });
  }

  async delete(index: number): Promise<void> {
    const { api } = this.#host;
    const own = this.#own(index);
    const domain = domainRef(own(this.#model.instanceId));
    await api.domainDestroyFlags({ domain });
    await api.domainUndefineFlags({ domain });
    // Libvirt adds to the running network and its definition in one call, but does not find what it shall delete from both.
    for (const change of this.#addresses(index))
      for (const flags of [AffectFlag.live, AffectFlag.config])
        await api.networkUpdate({ ...change, command: NetworkCommand.delete, flags });
    const pool = poolRef(this.#parts.pool.uuid, this.#parts.pool.name);
    const diskName = /<name>([^<]+)</.exec(this.#parts.volumeXml)?.[1] ?? '';
    for (const name of [diskName, this.#parts.seedName]) {
      const volume = await api.storageVolLookupByName({ pool, name: own(name) });
      await api.storageVolDelete({ volume });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host[Symbol.asyncDispose]();
  }

  /** The model's text with the names of machine `index` in it. */
  #own(index: number): (text: string) => string {
    const { instanceId, volumeId, nicId, mac } = this.#model;
    const end = (digits: number) => index.toString(16).padStart(digits, '0');
    return (text) =>
      text
        .replaceAll(instanceId, `${instanceId.slice(0, 24)}aaaa${end(8)}`)
        .replaceAll(volumeId, `${volumeId.slice(0, 24)}bbbb${end(8)}`)
        .replaceAll(nicId, `${nicId.slice(0, 24)}cccc${end(8)}`)
        .replaceAll(mac, this.#macOf(index));
  }

  #macOf(index: number): string {
    return `52:54:00:ff:ff:${index.toString(16).padStart(2, '0')}`;
  }

  #addresses(index: number) {
    const network = networkRef(this.#model.networkId);
    const address = `10.99.1.${index}`;
    const name = `raw-${index}`;
    return [
      {
        network,
        section: NetworkSection.dnsHost,
        parentIndex: -1,
        xml: `<host ip='${address}'><hostname>${name}</hostname></host>`,
        flags: BOTH,
      },
      {
        network,
        section: NetworkSection.ipDhcpHost,
        parentIndex: 0,
        xml: `<host mac='${this.#macOf(index)}' ip='${address}'/>`,
        flags: BOTH,
      },
    ];
  }
}
