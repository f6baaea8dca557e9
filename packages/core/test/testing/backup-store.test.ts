import { describeBackupStore, SHARED_SITE } from '../../testing/index.ts';
import { SimulatedLab } from './simulated-harness.ts';

describeBackupStore('simulated', {
  features: ['freeze'],
  timeouts: { testMs: 10_000 },
  makeHarness: async () => {
    const lab = new SimulatedLab('backups');
    return lab.base(SHARED_SITE, () => lab.openBackups());
  },
});
