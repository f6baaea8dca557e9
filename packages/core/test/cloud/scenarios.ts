import type { Scenario } from '../../testing/index.ts';
import { agentScenarios } from './agent-scenarios.ts';
import { backupScenarios } from './backup-scenarios.ts';
import { basicScenarios } from './basic-scenarios.ts';
import { classScenarios } from './class-scenarios.ts';
import { evacuationScenarios } from './evacuation-scenarios.ts';
import { furtherScenarios } from './further-scenarios.ts';
import { isoScenarios } from './iso-scenarios.ts';
import { migrationScenarios } from './migration-scenarios.ts';
import { networkScenarios } from './network-scenarios.ts';
import { sharedDiskScenarios } from './shared-disk-scenarios.ts';
import { stackScenarios } from './stacks/scenarios.ts';
import { storageScenarios } from './storage-scenarios.ts';

/** One for every action there is, and more where an action has several ways to go. */
export const scenarios: readonly Scenario[] = [
  ...basicScenarios,
  ...furtherScenarios,
  ...networkScenarios,
  ...storageScenarios,
  ...agentScenarios,
  ...backupScenarios,
  ...stackScenarios,
  ...evacuationScenarios,
  ...migrationScenarios,
  ...classScenarios,
  ...isoScenarios,
  ...sharedDiskScenarios,
];

/** Actions whose way is played elsewhere: by an upload, on quarantined things, after a restore. */
export const elsewhere: readonly string[] = ['image.complete', 'stray.adopt', 'stray.delete', 'stray.remove'];
