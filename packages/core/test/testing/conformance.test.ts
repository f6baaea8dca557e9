import type { HypervisorFeature } from '../../testing/index.ts';
import { describeHypervisor, describeNetwork, describeStorage } from '../../testing/index.ts';
import { hypervisorHarness, networkHarness, storageHarness } from './simulated-harness.ts';

const ALL: readonly HypervisorFeature[] = ['hotplug', 'resize', 'cpuShares', 'diskLimits', 'nicLimits', 'serial', 'vnc', 'watch'];

// Virtual time costs nothing, so a test that takes long hangs.
const timeouts = { testMs: 10_000 };

describeHypervisor('simulated', { features: ALL, timeouts, makeHarness: () => hypervisorHarness() });
describeHypervisor('simulated, with no optional feature', { features: [], timeouts, makeHarness: () => hypervisorHarness(ALL) });
describeStorage('simulated', { features: [], timeouts, makeHarness: () => storageHarness('simulated') });
describeStorage('simulated-shared', { features: [], timeouts, makeHarness: () => storageHarness('simulated-shared') });
describeNetwork('simulated', { features: ['stop', 'foreign'], timeouts, makeHarness: networkHarness });
