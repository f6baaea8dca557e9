import type { Socket as UdpSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { isIP, Server as NetServer } from 'node:net';
import type { ServedNetwork } from '@pileus/core/agent';
import { describeChain, type Environment, sleep } from '@pileus/core/environment';
import { Forwarder } from './dns/forward.ts';
import { Resolver } from './dns/resolver.ts';
import { Zone } from './dns/zone.ts';
import { Machines } from './machines.ts';
import { MetadataService } from './metadata/service.ts';
import { hasIpv6, INNER, METADATA_ADDRESS, METADATA_ADDRESS_6, namespaceIdentity } from './place.ts';
import type { ServedFiles, ServedSort } from './served.ts';
import { socketsIn, type Wanted } from './sockets.ts';

const RETRY_MS = 1_000;

interface Opened {
  /** Of the namespace and the addresses: others need other sockets. */
  readonly identity: string;
  close(): void;
}

/** Serves all networks of a host, from what is on disk. */
export class Services {
  readonly #files: ServedFiles;
  readonly #environment: Environment;
  readonly #metadata: MetadataService;
  readonly #resolver: Resolver;
  readonly #opened = new Map<string, Opened>();
  readonly #zones = new Map<string, Zone>();
  readonly #machines: Machines;
  readonly #changing = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();

  constructor({
    files,
    environment,
    key,
    upstreams,
  }: { files: ServedFiles; environment: Environment; key: Uint8Array; upstreams: readonly string[] }) {
    const { clock } = environment;
    this.#files = files;
    this.#environment = environment;
    this.#machines = new Machines(files);
    this.#metadata = new MetadataService({ key, clock, machineAt: (networkId, address) => this.#machines.at(networkId, address) });
    this.#resolver = new Resolver({
      zoneOf: (networkId) => this.#zones.get(files.get('networks', networkId)?.vpcId ?? ''),
      forwarder: new Forwarder({ upstreams, environment }),
      environment,
    });
  }

  start(): void {
    for (const id of this.#files.ids('machines')) this.#machines.changed(id);
    for (const id of this.#files.ids('names')) this.#indexNames(id);
    for (const id of this.#files.ids('networks')) void this.#follow(id);
  }

  /** What is on disk has changed. */
  async changed(sort: ServedSort, id: string): Promise<void> {
    await this.#files.read(sort, id);
    if (sort === 'machines') this.#machines.changed(id);
    if (sort === 'names') this.#indexNames(id);
    if (sort === 'networks') await this.#follow(id);
  }

  close(): void {
    this.#stop.abort();
    for (const opened of this.#opened.values()) opened.close();
  }

  #indexNames(vpcId: string): void {
    const names = this.#files.get('names', vpcId);
    if (names === undefined) this.#zones.delete(vpcId);
    else this.#zones.set(vpcId, new Zone(names));
  }

  /** One change of a network after the other, each until it has come about. */
  #follow(networkId: string): Promise<void> {
    const before = this.#changing.get(networkId) ?? Promise.resolve();
    const changing = before.then(() => this.#open(networkId));
    this.#changing.set(networkId, changing);
    return changing;
  }

  async #open(networkId: string): Promise<void> {
    const { logger, timers } = this.#environment;
    while (!this.#stop.signal.aborted)
      try {
        return await this.#openNow(networkId);
      } catch (error) {
        logger.warn({ networkId, error: describeChain(error) }, 'a network is not served');
        await sleep(timers, RETRY_MS, this.#stop.signal).catch(() => undefined);
      }
  }

  async #openNow(networkId: string): Promise<void> {
    const network = this.#files.get('networks', networkId);
    const opened = this.#opened.get(networkId);
    const namespace = network === undefined ? undefined : await namespaceIdentity(networkId);
    const wanted = network === undefined ? [] : socketsOf(network);
    const identity = JSON.stringify([namespace, wanted]);
    if (opened?.identity === identity) return;
    opened?.close();
    this.#opened.delete(networkId);
    if (network === undefined || namespace === undefined) return;
    const sockets = await socketsIn(networkId, wanted);
    this.#opened.set(networkId, { identity, close: () => void sockets.map((socket) => socket.close()) });
    sockets.forEach((socket, index) => {
      if (!(socket instanceof NetServer)) this.#resolver.serveUdp(networkId, socket as UdpSocket);
      else if (wanted[index]?.port === METADATA_PORT) this.#metadata.serve(networkId, socket);
      else this.#resolver.serveTcp(networkId, socket);
    });
  }
}

const METADATA_PORT = 80;
const DNS_PORT = 53;

const socketsOf = (network: ServedNetwork): readonly Wanted[] => [
  { type: 'tcp', address: METADATA_ADDRESS, port: METADATA_PORT },
  ...(hasIpv6(network) ? [{ type: 'tcp' as const, address: `${METADATA_ADDRESS_6}%${INNER}`, port: METADATA_PORT }] : []),
  ...network.addresses.flatMap(({ address }) => (['udp', 'tcp'] as const).map((type) => ({ type, address, port: DNS_PORT }))),
];

/** Those that the host itself asks. */
export async function systemResolvers(): Promise<readonly string[]> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  return [...text.matchAll(/^nameserver\s+(\S+)/gm)].flatMap(([, address = '']) => (isIP(address) === 0 ? [] : [address]));
}
