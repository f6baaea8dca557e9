import { mkdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cloud, Id } from '@pileus/sdk';
import { buildGuestImage } from '../guest/image.ts';
import { probeHypervisor } from '../probe/probe.ts';
import { CACHE_DIR, ensureSystem, type Log } from '../system/ensure.ts';
import { type Libvirtd, startPrivateLibvirtd } from '../system/private-libvirtd.ts';
import type { Place } from './place.ts';
import { SimulatedWitness } from './simulated-witness.ts';
import { Witness } from './witness.ts';

const SIMULATED_DRIVERS = fileURLToPath(new URL('simulated-drivers.ts', import.meta.url));

/** Looks what is there, past the server: at the beginning, and in the end for what has come since. */
export interface LookAround {
  /** What it asks, as people are told. */
  readonly place: string;
  begin(): Promise<void>;
  /** What is left, one line each. */
  residue(): Promise<readonly string[]>;
}

/** What the demo's machines stand on. */
export interface Ground {
  readonly hypervisor: 'kvm' | 'tcg' | 'simulated';
  /** How the server reaches this machine as a host. */
  readonly hostUri: string;
  /** The pool for its disks, as the API takes it. */
  pool(at: { readonly hostId: Id<'host'>; readonly zoneId: Id<'zone'> }): Parameters<Cloud['pools']['create']>[0];
  /** What the server loads to drive it. */
  readonly serverConfig: Readonly<Record<string, unknown>>;
  /** The content of the image that is uploaded. */
  readonly image: { readonly path: string; readonly sha256: string; readonly sizeBytes: number } | undefined;
  readonly witness: LookAround;
  /** Where elastic IPs come from; there only with OVN. */
  readonly external?: { readonly label: string; readonly cidr: string; readonly gateway: string };
  /** What the cluster says of disks; there only with Ceph. */
  readonly ceph?: { parentOf(volumeId: string): Promise<string | undefined> };
  /** Where backups go; there only with Ceph. */
  readonly backupsDir?: string;
  /** Ends what was started here. `clean` tells whether all that the demo made on it is gone; if not, a libvirtd of our own forgets it. */
  stop(outcome: { readonly clean: boolean }): Promise<void>;
}

/** Real guests where this machine can run them, else simulated ones, and says which and why. */
export async function findGround(place: Place, log: Log): Promise<Ground> {
  const system = await ensureSystem({ log });
  if (!system.ok) {
    log(`SIMULATED: ${system.reason}.`);
    log('What follows is the real server, API and SDK, but the machines are pretended ones: nothing boots.');
    return simulatedGround(place);
  }
  return realGround(place, log);
}

function simulatedGround(place: Place): Ground {
  const name = hostname();
  const leftPath = join(place.serverDir, 'left.json');
  return {
    hypervisor: 'simulated',
    hostUri: `sim://${name}`,
    pool: ({ hostId }) => ({ hostId }),
    serverConfig: { kvm: { enabled: false }, plugins: [{ module: SIMULATED_DRIVERS, options: { hostname: name, leftPath } }] },
    image: undefined,
    witness: new SimulatedWitness(leftPath),
    stop: async () => {},
  };
}

/** This machine as a host. */
export async function realGround(place: Place, log: Log): Promise<Ground> {
  const hypervisor = await probeHypervisor();
  log(hypervisor === 'kvm' ? 'Guests run under KVM here' : 'No guest boots under KVM here: they run emulated (TCG), which is slower');
  const image = await buildGuestImage({ cacheDir: CACHE_DIR, log });
  const libvirtd = await startLibvirtd(place, log);
  log(libvirtd.ours ? `Using a libvirtd of our own at ${libvirtd.socketPath}` : 'Using the libvirtd that runs on this machine');
  const screens = join(place.dir, 'screens');
  await mkdir(screens, { recursive: true });
  const folder = `pileus-demo-${place.tag}`;
  const options = {
    virtType: hypervisor,
    // Our libvirtd has folders of its own, and no control groups.
    ...(libvirtd.ours ? { vncSocketDir: screens, cpuShares: false } : {}),
  };
  return {
    hypervisor,
    hostUri: `qemu+unix:///system?socket=${libvirtd.socketPath}`,
    pool: ({ hostId }) => ({ hostId, settings: { path: `/var/lib/libvirt/images/${folder}` } }),
    serverConfig: { kvm: { enabled: false }, plugins: [{ module: '@pileus/drivers-kvm', export: 'kvm', options }] },
    image,
    witness: new Witness(libvirtd.socketPath, join(libvirtd.imagesDir, folder)),
    stop: async ({ clean }) => {
      await libvirtd.stop();
      await rm(screens, { recursive: true, force: true });
      if (libvirtd.ours && !clean) await rm(place.libvirtDir, { recursive: true, force: true });
    },
  };
}

/** A libvirtd of our own begins anew after a demo that was killed: whatever is on it was that demo's. */
async function startLibvirtd(place: Place, log: Log): Promise<Libvirtd> {
  const options = { rootDir: place.libvirtDir, log };
  const libvirtd = await startPrivateLibvirtd(options);
  if (!libvirtd.ours || !(await place.hasEarlierCloud())) return libvirtd;
  log('Removing what an earlier demo left');
  await libvirtd.stop();
  await rm(place.libvirtDir, { recursive: true, force: true });
  await place.forgetCloud();
  return startPrivateLibvirtd(options);
}
