import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildGuestImage } from '../guest/image.ts';
import { probeHypervisor } from '../probe/probe.ts';
import { attempt, run } from '../system/command.ts';
import type { Runner } from '../system/daemon.ts';
import { killEnclosure, runEnclosed } from '../system/enclosure.ts';
import { CACHE_DIR, ensureSystem, type Log } from '../system/ensure.ts';
import { socketPathOf, writeLibvirtdRoot } from '../system/libvirtd-config.ts';
import { startLibvirtd } from '../system/libvirtd-process.ts';
import { OvnCentral } from '../system/ovn-central.ts';
import { OvsHost, presentAsSystem, withoutChecksumOffload } from '../system/ovs-host.ts';
import { OVN_PACKAGES } from '../system/packages.ts';
import { freeSubnet } from './free-subnet.ts';
import type { Ground } from './ground.ts';
import { OvnWitness } from './ovn-witness.ts';
import type { Place } from './place.ts';
import { Witness } from './witness.ts';

const HOST = 'demo-host';
/** How the host calls the wire to this machine. */
const EXTERNAL_LABEL = 'physnet1';
const EXTERNAL_BRIDGE = 'br-ex';

/**
 * A host with libvirt, Open vSwitch and all of OVN, in namespaces of its own: nothing that runs on this machine meets it, and killing its first process ends all of
 * it. A wire leads from its external network to this machine.
 */
export async function ovnGround(place: Place, log: Log): Promise<Ground> {
  const system = await ensureSystem({ log, also: OVN_PACKAGES });
  if (!system.ok) throw new Error(`OVN cannot be set up here: ${system.reason}`);
  const hypervisor = await probeHypervisor();
  log(hypervisor === 'kvm' ? 'Guests run under KVM here' : 'No guest boots under KVM here: they run emulated (TCG), which is slower');
  const image = await buildGuestImage({ cacheDir: CACHE_DIR, log });
  const host = new OvnHost(place);
  if (await place.hasEarlierCloud()) log('Removing what an earlier demo left');
  await host.remove();
  await place.forgetCloud();
  try {
    const external = await host.start();
    log('A host of its own runs: libvirt, Open vSwitch, OVN');
    const socketPath = socketPathOf(host.rootDir);
    const folder = `pileus-demo-${place.tag}`;
    const options = { virtType: hypervisor, vncSocketDir: host.screensDir, cpuShares: false };
    const { northboundRemote, southboundRemote } = host.central;
    return {
      hypervisor,
      hostUri: `qemu+unix:///system?socket=${socketPath}`,
      pool: ({ hostId }) => ({ hostId, settings: { path: `/var/lib/libvirt/images/${folder}` } }),
      serverConfig: {
        kvm: { enabled: false },
        plugins: [{ module: '@pileus/drivers-kvm', export: 'kvm', options }],
        network: { ovn: { northbound: [northboundRemote], southbound: [southboundRemote] } },
      },
      image,
      external,
      witness: new OvnWitness(new Witness(socketPath, join(host.rootDir, 'lib/images', folder)), host),
      stop: () => host.remove(),
    };
  } catch (error) {
    await host.remove();
    throw error;
  }
}

class OvnHost {
  readonly rootDir: string;
  readonly screensDir: string;
  readonly central: OvnCentral;
  readonly ovs: OvsHost;
  readonly #run: Runner;
  readonly #netns: string;
  /** This machine's end of the wire. */
  readonly #link: string;

  constructor(place: Place) {
    this.rootDir = place.hostDir;
    this.screensDir = join(this.rootDir, 'screens');
    this.#netns = `pileus-demo-${place.tag}`;
    this.#link = `pdemo${place.tag}`;
    this.#run = (argv, options) => runEnclosed(this.rootDir, argv, options);
    this.central = new OvnCentral({ dir: join(this.rootDir, 'run/ovn'), run: this.#run });
    this.ovs = new OvsHost({
      runDir: join(this.rootDir, 'run/openvswitch'),
      databasePath: join(this.rootDir, 'openvswitch/conf.db'),
      run: this.#run,
      settings: {
        'system-id': `${HOST}-id`,
        hostname: HOST,
        'ovn-remote': this.central.southboundRemote,
        'ovn-encap-type': 'geneve',
        'ovn-encap-ip': '127.0.0.1',
        'ovn-bridge-datapath-type': 'netdev',
        'ovn-bridge-mappings': `${EXTERNAL_LABEL}:${EXTERNAL_BRIDGE}`,
      },
    });
  }

  async start(): Promise<NonNullable<Ground['external']>> {
    const cidr = await freeSubnet();
    const gateway = cidr.replace(/0\/24$/, '1');
    await mkdir(this.screensDir, { recursive: true });
    await run(['ip', 'netns', 'add', this.#netns]);
    await run(['ip', 'link', 'add', this.#link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#netns]);
    await run(['ip', 'addr', 'add', `${gateway}/24`, 'dev', this.#link]);
    await run(['ip', 'link', 'set', this.#link, 'up']);
    await run(['ethtool', '-K', this.#link, 'tx', 'off']);
    for (const device of ['lo', 'eth0']) await run(['ip', '-n', this.#netns, 'link', 'set', device, 'up']);
    await withoutChecksumOffload(this.#netns, 'eth0');
    await writeLibvirtdRoot(this.rootDir, { hostUuid: randomUUID() });
    await startLibvirtd({ rootDir: this.rootDir, host: { name: HOST, netns: this.#netns } });
    await presentAsSystem(join(this.rootDir, 'run/openvswitch'), this.#run);
    await Promise.all([this.central.start(), this.ovs.start([{ name: EXTERNAL_BRIDGE, uplinks: ['eth0'] }])]);
    await run(['ip', '-n', this.#netns, 'link', 'set', EXTERNAL_BRIDGE, 'up']);
    await this.ovs.controller.start();
    await this.central.settle();
    return { label: EXTERNAL_LABEL, cidr, gateway };
  }

  /** Ends it, or what a killed demo left of it. Absent is fine. */
  async remove(): Promise<void> {
    await killEnclosure(this.rootDir);
    await gone(['ip', 'link', 'del', this.#link], /Cannot find device/);
    await gone(['ip', 'netns', 'del', this.#netns], /No such file or directory/);
    await rm(this.rootDir, { recursive: true, force: true });
  }
}

/** Removes what may be absent, and again while the kernel is busy with it. @throws Error with the program's words when it stays */
async function gone(argv: readonly [string, ...string[]], absent: RegExp): Promise<void> {
  for (let attemptsLeft = 20; ; attemptsLeft -= 1) {
    const { exitCode, stderr } = await attempt(argv);
    if (exitCode === 0 || absent.test(stderr)) return;
    if (attemptsLeft === 0) throw new Error(`${argv.join(' ')}: ${stderr.trim()}`);
    await sleep(250);
  }
}
