/** Which layer may import which: the arrows of ARCHITECTURE.md. A layer is the longest prefix of a path that is listed. Test code is free. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  'packages/core/src/strategy': [],
  'packages/core/src/agent': [],
  'packages/core/src/luks': [],
  'packages/core/src/kernel': ['packages/core/src/strategy'],
  'packages/core/src/store': ['packages/core/src/kernel'],
  'packages/core/src/sqlite': ['packages/core/src/kernel', 'packages/core/src/store'],
  'packages/core/src/cloud': ['packages/core/src/agent', 'packages/core/src/kernel', 'packages/core/src/strategy'],
  'packages/core/src/node': ['packages/core/src/kernel', 'packages/core/src/cloud', 'packages/core/src/strategy'],
  // The package's own entry composes all of it.
  'packages/core/src': [
    'packages/core/src/kernel',
    'packages/core/src/cloud',
    'packages/core/src/node',
    'packages/core/src/sqlite',
    'packages/core/src/strategy',
  ],
  'packages/core/testing': [
    'packages/core/src/agent',
    'packages/core/src/kernel',
    'packages/core/src/strategy',
    'packages/core/src/cloud',
    'packages/core/src/sqlite',
    'packages/core/src/store',
    'packages/core/src/node',
  ],
  'packages/drivers-kvm/src/libvirt': [],
  'packages/drivers-kvm/src/nfs': [],
  'packages/drivers-kvm/src': [
    'packages/drivers-kvm/src/libvirt',
    'packages/drivers-kvm/src/nfs',
    'packages/core/src/luks',
    'packages/core/src/strategy',
  ],
  'packages/drivers-ovs/src/ovsdb': [],
  'packages/drivers-ovs/src/ovn': ['packages/drivers-ovs/src/ovsdb', 'packages/core/src/strategy'],
  'packages/drivers-ovs/src/plain': ['packages/drivers-ovs/src/ovn', 'packages/drivers-ovs/src/ovsdb', 'packages/core/src/strategy'],
  'packages/drivers-rbd/src/rados': [],
  'packages/drivers-rbd/src/rbd': ['packages/drivers-rbd/src/rados', 'packages/core/src/luks', 'packages/core/src/strategy'],
  'packages/sdk/src': [],
  'packages/cli/src': ['packages/sdk/src'],
  'packages/server/src': [
    'packages/core/src',
    'packages/core/src/agent',
    'packages/core/src/kernel',
    'packages/core/src/cloud',
    'packages/core/src/node',
    'packages/core/src/sqlite',
    'packages/core/src/store',
    'packages/core/src/strategy',
    'packages/drivers-kvm/src',
    'packages/drivers-ovs/src/ovn',
    'packages/drivers-ovs/src/ovsdb',
    'packages/drivers-ovs/src/plain',
    'packages/drivers-rbd/src/rbd',
  ],
};

/** Where the packages' entries lead. */
export const PACKAGES: Readonly<Record<string, string>> = {
  '@pileus/core': 'packages/core/src',
  '@pileus/core/agent': 'packages/core/src/agent',
  '@pileus/core/environment': 'packages/core/src/node',
  '@pileus/core/luks': 'packages/core/src/luks',
  '@pileus/core/kernel': 'packages/core/src/kernel',
  '@pileus/core/strategy': 'packages/core/src/strategy',
  '@pileus/core/sqlite': 'packages/core/src/sqlite',
  '@pileus/core/store': 'packages/core/src/store',
  '@pileus/core/node': 'packages/core/src/node',
  '@pileus/core/testing': 'packages/core/testing',
  '@pileus/drivers-kvm': 'packages/drivers-kvm/src',
  '@pileus/drivers-kvm/libvirt': 'packages/drivers-kvm/src/libvirt',
  '@pileus/drivers-ovs/ovn': 'packages/drivers-ovs/src/ovn',
  '@pileus/drivers-ovs/openvswitch': 'packages/drivers-ovs/src/plain',
  '@pileus/drivers-ovs/ovsdb': 'packages/drivers-ovs/src/ovsdb',
  '@pileus/drivers-rbd/rados': 'packages/drivers-rbd/src/rados',
  '@pileus/drivers-rbd/rbd': 'packages/drivers-rbd/src/rbd',
  '@pileus/sdk': 'packages/sdk/src',
  '@pileus/sdk/document': 'packages/sdk/src',
  '@pileus/cli': 'packages/cli/src',
  '@pileus/server': 'packages/server/src',
};

export const layerOf = (path: string): string | undefined =>
  Object.keys(LAYERS)
    .filter((prefix) => path === prefix || path.startsWith(`${prefix}/`))
    .sort((a, b) => b.length - a.length)[0];
