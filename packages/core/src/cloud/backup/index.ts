import { onContribution, updateAction } from '../../kernel/index.ts';
import { rowDeletion } from '../row-only.ts';
import type { Module } from '../services.ts';
import { storedOwner } from '../storage/contract.ts';
import { AsideRoom } from './aside-room.ts';
import { backup } from './backup.ts';
import { backupCreate } from './backup-create.ts';
import { backupDeletion } from './backup-delete.ts';
import { backupPlan } from './backup-plan.ts';
import { backupRestore } from './backup-restore.ts';
import { backupStore } from './backup-store.ts';
import { backupVerify } from './backup-verify.ts';
import { Collector } from './collector.ts';
import type { BackupContext } from './context.ts';
import { PlanRunner } from './plan-runner.ts';
import { planCreate, planDisable, planEnable, planRun, planUpdate } from './plan-verbs.ts';
import { backupSet, backupSetDeletion } from './sets/backup-set.ts';
import { copyDisk, setCreate } from './sets/set-create.ts';
import { setRestore } from './sets/set-restore.ts';
import { storeChangeCredentials } from './store-change-credentials.ts';
import { storeCreate } from './store-create.ts';
import { storeDeletion, storeDisable, storeEnable } from './store-verbs.ts';
import { BackupStores } from './stores.ts';
import { volumeCapabilities } from './volume-capabilities.ts';

export { backup } from './backup.ts';
export { backupPlan } from './backup-plan.ts';
export { backupStore } from './backup-store.ts';
export { backupSet } from './sets/backup-set.ts';

/** What is in volumes, kept outside of their pools. */
export const backups: Module = (services) => {
  const { hosts, pools, reader, environment, secrets } = services;
  const stores = new BackupStores(services, services.observeCall);
  const collector = new Collector(services, stores);
  const runner = new PlanRunner(services);
  const context: BackupContext = { hosts, pools, reader, environment, secrets, stores, collector, asideRoom: new AsideRoom() };
  return {
    id: 'volume-backups',
    version: '0.1.0',
    requires: ['storage', 'compute'],
    kinds: [backupStore, backupPlan, backupSet, backup],
    actions: [
      storeCreate(context),
      updateAction(backupStore, ['description']),
      storeChangeCredentials(context),
      storeEnable,
      storeDisable,
      backupCreate(context),
      updateAction(backup, ['description']),
      backupRestore(context),
      backupVerify(context),
      setCreate({ ...context, kernel: services.kernel, ids: services.ids }),
      updateAction(backupSet, ['description']),
      setRestore(context),
      planCreate(context),
      planUpdate(context),
      planEnable(context),
      planDisable,
      planRun(context),
    ],
    endpoints: [volumeCapabilities(context)],
    hooks: [
      // What was laid aside for a backup has its id. Nobody comes for it but the operation that makes that.
      onContribution(storedOwner, async ({ kind, ids }) => {
        const rows = kind === 'volume' ? await services.slices.named(reader, backup, ids) : new Map<string, unknown>();
        return new Map([...rows.keys()].map((id) => [id, 'left'] as const));
      }),
    ],
    sagas: [copyDisk],
    deletions: [storeDeletion(context), backupDeletion(context), backupSetDeletion, rowDeletion(backupPlan, ['available', 'disabled'])],
    start: async () => {
      const stops = [collector.start(), runner.start()];
      return async () => {
        for (const stop of stops) await stop();
        await stores.close();
      };
    },
  };
};
