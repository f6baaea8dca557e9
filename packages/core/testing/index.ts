export type { Harness, Setup, Timeouts } from './conformance/harness.ts';
export { DEFAULT_TIMEOUTS } from './conformance/harness.ts';
export type { HypervisorFeature, HypervisorHarness, HypervisorSetup } from './conformance/hypervisor.ts';
export { describeHypervisor } from './conformance/hypervisor.ts';
export type { NetworkFeature, NetworkHarness, NetworkSetup } from './conformance/network.ts';
export { describeNetwork } from './conformance/network.ts';
export type { StorageHarness, StorageSetup } from './conformance/storage.ts';
export { describeStorage } from './conformance/storage.ts';
