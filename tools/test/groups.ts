/** A part of the proof that runs in a process of its own. Groups of the same lane run one after the other, lanes side by side. */
export interface Group {
  readonly name: string;
  readonly lane: Lane;
  /** Globs of test files. */
  readonly files: readonly string[];
  /** Globs of those that another group has. */
  readonly except?: readonly string[];
  /** Needs root and the Debian packages of `tools/system`. */
  readonly real: boolean;
}

/** Reckoning, waiting for drivers, and waiting for guests: the two that wait leave time to some of what reckons, so that all three take about as long. */
export const LANES = ['logic', 'drivers', 'guests'] as const;
export type Lane = (typeof LANES)[number];

/** What the core's tests are of the kernel in full, and not of the spine. */
const KERNEL_IN_CORE = [
  'packages/core/test/{query,examples}/**/*.test.ts',
  'packages/core/test/kernel/{audit,settings}/*.test.ts',
  'packages/core/test/kernel/{cascade-plan,fairness,places,quota}.test.ts',
  'packages/core/test/cloud/{events,identity,placement,settings,stacks}/*.test.ts',
  'packages/core/test/cloud/{dry-run,every-kind,further-crash-matrix,tags}.test.ts',
  'packages/core/test/api/{access,audit,dry-run,system-tags,tags}.test.ts',
];

/** What the core's tests are of networks beside those of a host. */
const NETWORKS_IN_CORE = [
  'packages/core/test/cloud/network-crash-matrix.test.ts',
  'packages/core/test/cloud/agents/*.test.ts',
  'packages/core/test/cloud/network/{vpc,firewall,nat,balancing,names,physical,reach}/*.test.ts',
];

/** What the core's tests are of storage beside pools and volumes of a host. */
const STORAGE_IN_CORE = [
  'packages/core/test/cloud/storage/{pools,snapshots}/*.test.ts',
  'packages/core/test/cloud/compute/{evacuation,migration}/*.test.ts',
  'packages/core/test/cloud/backup/*.test.ts',
  'packages/core/test/testing/backup-store.test.ts',
  'packages/core/test/node/{backup-directory,bulk-cipher}.test.ts',
];

const EXAMPLE_GUIDE = 'test/repository/example-plugin.test.ts';

/** What the acceptance tests are of the kernel in full. */
const STACKS_REAL = ['test/acceptance/stack.test.ts'];
/** What the server's tests and those of the command line are of it. */
const KERNEL_IN_SERVER = ['packages/server/test/{quota,upgrade}.test.ts'];
const KERNEL_IN_CLI = ['packages/cli/test/{apply,plugins,quota,settings,tenants}.test.ts'];
/** What histories are of it: what is left to chance beside one zone's machines, and events that reach who asked for them. */
const KERNEL_IN_HISTORIES = ['test/simulation/{coverage,deliveries}.test.ts'];

/** What the acceptance tests are of networks. */
const NETWORK_REAL = 'test/acceptance/network/*.test.ts';
/** What the acceptance tests are of storage. */
const STORAGE_REAL = 'test/acceptance/storage/*.test.ts';
/** What the lab's tests are of networks. */
const OVN_LAB = ['test/lab/ovn/*.test.ts'];
/** What they are of storage. */
const CEPH_LAB = ['test/lab/ceph/*.test.ts'];

/** What the tests on libvirt are of storage beside pools and volumes of a host. */
const STORAGE_ON_KVM = [
  'packages/drivers-kvm/test/{lvm-storage,nfs,nfs-storage}/*.test.ts',
  'packages/drivers-kvm/test/conformance/nfs.test.ts',
  'packages/drivers-kvm/test/hypervisor/{migration,quiesce}.test.ts',
  'packages/drivers-kvm/test/{disk-copy,encryption}.test.ts',
  'packages/drivers-kvm/test/storage/dir-disks.test.ts',
];

/** What belongs to one part of the product shares its budget: minutes of `npm test` on two cores, all lanes busy. */
export const BUDGETS: readonly { readonly name: string; readonly minutes: number; readonly groups: readonly Group[] }[] = [
  {
    name: 'spine',
    minutes: 8,
    groups: [
      {
        name: 'core',
        lane: 'logic',
        files: ['packages/core/test/**/*.test.ts'],
        except: [...KERNEL_IN_CORE, ...NETWORKS_IN_CORE, ...STORAGE_IN_CORE],
        real: false,
      },
      { name: 'sdk', lane: 'guests', files: ['packages/sdk/test/**/*.test.ts'], real: false },
      { name: 'cli', lane: 'guests', files: ['packages/cli/test/**/*.test.ts'], except: KERNEL_IN_CLI, real: false },
      {
        name: 'server',
        lane: 'logic',
        files: ['packages/server/test/*.test.ts', 'packages/server/test/limits/*.test.ts'],
        except: KERNEL_IN_SERVER,
        real: false,
      },
      { name: 'simulation', lane: 'logic', files: ['test/simulation/**/*.test.ts'], except: KERNEL_IN_HISTORIES, real: false },
      { name: 'repository', lane: 'logic', files: ['test/repository/**/*.test.ts'], except: [EXAMPLE_GUIDE], real: false },
      { name: 'kvm', lane: 'drivers', files: ['packages/drivers-kvm/test/**/*.test.ts'], except: STORAGE_ON_KVM, real: true },
      { name: 'lab', lane: 'drivers', files: ['test/lab/**/*.test.ts'], except: [...OVN_LAB, ...CEPH_LAB], real: true },
      {
        name: 'acceptance',
        lane: 'guests',
        files: ['test/acceptance/**/*.test.ts'],
        except: [...STACKS_REAL, NETWORK_REAL, STORAGE_REAL],
        real: true,
      },
    ],
  },
  {
    name: 'kernel',
    minutes: 5,
    groups: [
      { name: 'core-kernel', lane: 'logic', files: KERNEL_IN_CORE, real: false },
      { name: 'postgres', lane: 'drivers', files: ['packages/server/test/postgres/**/*.test.ts'], real: true },
      { name: 'stacks', lane: 'guests', files: STACKS_REAL, real: true },
      { name: 'histories', lane: 'logic', files: KERNEL_IN_HISTORIES, real: false },
      {
        name: 'tenants',
        lane: 'guests',
        files: ['packages/server/test/tenants/**/*.test.ts', ...KERNEL_IN_SERVER, ...KERNEL_IN_CLI],
        real: false,
      },
      { name: 'sign-in', lane: 'drivers', files: ['packages/server/test/auth/**/*.test.ts'], real: true },
      { name: 'examples', lane: 'guests', files: ['examples/*/test/**/*.test.ts', EXAMPLE_GUIDE], real: false },
      { name: 'kills', lane: 'logic', files: ['packages/server/test/kills/**/*.test.ts'], real: false },
    ],
  },
  {
    name: 'network',
    minutes: 6,
    groups: [
      { name: 'core-network', lane: 'logic', files: NETWORKS_IN_CORE, real: false },
      { name: 'ovsdb', lane: 'drivers', files: ['packages/drivers-ovs/test/**/*.test.ts'], real: true },
      { name: 'agent', lane: 'drivers', files: ['packages/server/test/agent/**/*.test.ts'], real: true },
      { name: 'ovn-lab', lane: 'drivers', files: OVN_LAB, real: true },
      { name: 'networks', lane: 'guests', files: [NETWORK_REAL], real: true },
    ],
  },
  {
    name: 'storage',
    minutes: 5,
    groups: [
      { name: 'core-storage', lane: 'logic', files: STORAGE_IN_CORE, real: false },
      { name: 'kvm-storage', lane: 'drivers', files: STORAGE_ON_KVM, real: true },
      { name: 'rados', lane: 'drivers', files: ['packages/drivers-rbd/test/rados/**/*.test.ts'], real: true },
      { name: 'rbd', lane: 'drivers', files: ['packages/drivers-rbd/test/{rbd,conformance}/**/*.test.ts'], real: true },
      { name: 's3', lane: 'guests', files: ['packages/server/test/backups/*.test.ts'], real: true },
      { name: 'disks', lane: 'guests', files: [STORAGE_REAL], real: true },
      { name: 'ceph-lab', lane: 'guests', files: CEPH_LAB, real: true },
    ],
  },
];
