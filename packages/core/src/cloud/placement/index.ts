import type { Plugin } from '../../kernel/index.ts';
import { groupActions, groupDeletion, placementGroup } from './placement-group.ts';
import { placementFilter, placementScorer } from './points.ts';

export { placementGroup } from './placement-group.ts';
export * from './points.ts';

/** Where machines go: groups that bind them, and the points at which plugins have their say. */
export const placement = (): Plugin => ({
  id: 'placement',
  version: '0.1.0',
  kinds: [placementGroup],
  actions: groupActions,
  deletions: [groupDeletion],
  points: [placementFilter, placementScorer],
});
