import type { AnyKind, RefEdge } from '../kind.ts';

/** Whether rows go, or may go, with what the field points to. */
export const goesAlong = ({ onDelete, ownedIf, recursive }: RefEdge): boolean =>
  onDelete === 'cascade' || ownedIf !== undefined || recursive === true;

/**
 * Kinds of which each goes along with the next, the first once more at the end; undefined where there are none. In such a circle nothing says what goes first. A kind
 * that goes along with itself is none: its rows are trees.
 */
export function circleOf(kinds: readonly AnyKind[]): readonly string[] | undefined {
  const owners = new Map<string, readonly string[]>(
    kinds.map(({ name, refs }) => [name, refs.flatMap((edge) => (goesAlong(edge) && edge.kind !== name ? [edge.kind] : []))]),
  );
  const done = new Set<string>();
  const from = (name: string, way: readonly string[]): readonly string[] | undefined => {
    if (way.includes(name)) return [...way.slice(way.indexOf(name)), name];
    if (done.has(name)) return undefined;
    for (const owner of owners.get(name) ?? []) {
      const circle = from(owner, [...way, name]);
      if (circle !== undefined) return circle;
    }
    done.add(name);
    return undefined;
  };
  for (const name of owners.keys()) {
    const circle = from(name, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
