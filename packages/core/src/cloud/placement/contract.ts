/** What other modules may know of placement. */
export { leaveFor, leaveGroup, stayInGroup } from './group-seats.ts';
export {
  type GroupSeat,
  hostCapacity,
  hostCounter,
  isPlaceTaken,
  type Placed,
  type Placement,
  type PlacementRequest,
  placementNote,
  poolCapacity,
  poolCounter,
} from './placement.ts';
export { placementGroup } from './placement-group.ts';
