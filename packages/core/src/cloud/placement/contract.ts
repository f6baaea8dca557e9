/** What other modules may know of placement. */
export {
  hostCapacity,
  hostCounter,
  type Placed,
  type Placement,
  type PlacementRequest,
  poolCapacity,
  poolCounter,
} from './placement.ts';
