import type { HypervisorFeature, StorageFeature } from '../../testing/index.ts';
import { describeHypervisor, describeKeepers, describeNetwork, describeStorage, KEPT_SORTS, SHARED_SITE } from '../../testing/index.ts';
import { hypervisorHarness, keepersHarness, networkHarness, storageHarness } from './simulated-harness.ts';

const ALL: readonly HypervisorFeature[] = [
  ...(['hotplug', 'drive', 'diskBackup', 'diskCopy', 'migration', 'resize', 'growDisk', 'secrets', 'quiesce', 'usage'] as const),
  ...(['cpuShares', 'diskLimits', 'nicLimits', 'serial', 'vnc', 'watch'] as const),
];

// Virtual time costs nothing, so a test that takes long hangs.
const timeouts = { testMs: 10_000 };

describeHypervisor('simulated', { features: ALL, timeouts, makeHarness: () => hypervisorHarness() });
describeHypervisor('simulated, with no optional feature', { features: [], timeouts, makeHarness: () => hypervisorHarness(ALL) });
const STORED: readonly StorageFeature[] = [
  'growth',
  'encryption',
  'keys',
  'lockedContents',
  'snapshots',
  'contents',
  'imageAttach',
  'shareable',
];
describeStorage('simulated', { features: [...STORED, 'marks', 'written'], timeouts, makeHarness: () => storageHarness('simulated') });
describeStorage('simulated-shared', {
  features: [...STORED, 'liveKeys', 'sharedFence', 'facts', 'fence', 'health', 'secret', 'others'],
  timeouts,
  makeHarness: () => storageHarness('simulated-shared'),
});
describeStorage('simulated, with no optional feature', {
  features: [],
  timeouts,
  makeHarness: () => storageHarness('simulated', [...STORED, 'marks', 'written']),
});
describeNetwork('simulated', { features: ['stop', 'foreign'], timeouts, makeHarness: () => networkHarness('hv1') });
describeNetwork('simulated-shared', {
  features: ['stop', 'foreign'],
  modes: ['nat', 'isolated', 'provider'],
  timeouts,
  makeHarness: () => networkHarness(SHARED_SITE),
});
describeKeepers('simulated-shared', {
  features: [...KEPT_SORTS, 'readiness', 'continuity', 'hosts'],
  timeouts,
  makeHarness: keepersHarness,
});
