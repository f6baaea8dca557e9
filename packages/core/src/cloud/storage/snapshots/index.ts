import { type Action, updateAction } from '../../../kernel/index.ts';
import type { StorageContext } from '../removal.ts';
import { snapshot } from './snapshot.ts';
import { snapshotCreate } from './snapshot-create.ts';
import { snapshotGroup } from './snapshot-group.ts';
import { snapshotGroupRevert, snapshotRevert } from './snapshot-revert.ts';
import { volumeFlatten } from './volume-flatten.ts';

/** What is done to points in time of volumes, and to what was cloned from them. That of a whole machine is compute's. */
export const snapshotActions = (context: StorageContext): readonly Action[] => [
  snapshotCreate(context),
  updateAction(snapshot, ['description']),
  snapshotRevert(context),
  updateAction(snapshotGroup, ['description']),
  snapshotGroupRevert(context),
  volumeFlatten(context),
];
