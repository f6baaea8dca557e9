import { change, type RowOf, type Statement } from '../../../kernel/index.ts';
import { loadBalancer } from './load-balancer.ts';

/** More are refused: what a balancer costs, each of its hosts pays. */
export const LISTENERS_MAX = 32;
/** Of one listener. */
export const BACKENDS_MAX = 64;

/** With a new part: of two that are accepted side by side the second is decided again, and counts the first. */
export const onePartMore = ({ id, generation }: RowOf<typeof loadBalancer>): Statement =>
  change(loadBalancer, id, {}, { generation, state: 'available' });

export const isPartBeside = (statement: Statement | undefined): boolean =>
  statement?.op === 'update' && statement.table === loadBalancer.name;
