/** Which layer may import which: the arrows of ARCHITECTURE.md. A layer is the longest prefix of a path that is listed. Test code is free. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  'packages/core/src/strategy': [],
  'packages/core/src/kernel': ['packages/core/src/strategy'],
  'packages/core/src/store': ['packages/core/src/kernel'],
  'packages/core/src/sqlite': ['packages/core/src/kernel', 'packages/core/src/store'],
  'packages/core/src/cloud': ['packages/core/src/kernel', 'packages/core/src/strategy'],
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
    'packages/core/src/kernel',
    'packages/core/src/strategy',
    'packages/core/src/cloud',
    'packages/core/src/sqlite',
    'packages/core/src/store',
    'packages/core/src/node',
  ],
  'packages/drivers-kvm/src/libvirt': [],
  'packages/drivers-kvm/src': ['packages/drivers-kvm/src/libvirt', 'packages/core/src/strategy'],
  'packages/sdk/src': [],
  'packages/cli/src': ['packages/sdk/src'],
  'packages/server/src': [
    'packages/core/src',
    'packages/core/src/kernel',
    'packages/core/src/cloud',
    'packages/core/src/node',
    'packages/core/src/sqlite',
    'packages/core/src/store',
    'packages/core/src/strategy',
    'packages/drivers-kvm/src',
  ],
};

/** Where the packages' entries lead. */
export const PACKAGES: Readonly<Record<string, string>> = {
  '@pileus/core': 'packages/core/src',
  '@pileus/core/kernel': 'packages/core/src/kernel',
  '@pileus/core/strategy': 'packages/core/src/strategy',
  '@pileus/core/sqlite': 'packages/core/src/sqlite',
  '@pileus/core/store': 'packages/core/src/store',
  '@pileus/core/node': 'packages/core/src/node',
  '@pileus/core/testing': 'packages/core/testing',
  '@pileus/drivers-kvm': 'packages/drivers-kvm/src',
  '@pileus/drivers-kvm/libvirt': 'packages/drivers-kvm/src/libvirt',
  '@pileus/sdk': 'packages/sdk/src',
  '@pileus/sdk/document': 'packages/sdk/src',
  '@pileus/cli': 'packages/cli/src',
  '@pileus/server': 'packages/server/src',
};

export const layerOf = (path: string): string | undefined =>
  Object.keys(LAYERS)
    .filter((prefix) => path === prefix || path.startsWith(`${prefix}/`))
    .sort((a, b) => b.length - a.length)[0];
