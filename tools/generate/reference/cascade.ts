import { type AnyKind, type RefEdge, type Registry, sagaKey } from '@pileus/core/kernel';
import { code, Links, mermaid, page, table } from './pages.ts';

interface Edge extends RefEdge {
  readonly from: AnyKind;
}

/** docs/reference/cascade.md: what goes with what, and what holds what. */
export function cascadePage(registry: Registry): string {
  const edges = registry.kinds().flatMap((from) => from.refs.map((edge: RefEdge): Edge => ({ ...edge, from })));
  const goes = edges.filter(({ onDelete, ownedIf, recursive }) => onDelete !== 'restrict' || ownedIf !== undefined || recursive === true);
  return page([
    '# What a deletion does',
    'The references of all kinds are one graph, and every deletion follows it: how is told in [Deletions](../internals/cascade.md), each reference with its [kind](README.md#kinds).',
    '## What goes along, and what is let go',
    'An arrow leads from what is deleted to what goes along; where it bears a word, only then: with that field true, or when asked for with `recursive`. A dotted one leads to what is let go.',
    graph(goes.flatMap((edge) => arrows(edge).map((arrow) => `  ${edge.kind} ${arrow} ${edge.from.name}`))),
    '## What stops it',
    'An arrow leads from what is to be deleted to what stops that while it is there. A project is stopped by all that belongs to it.',
    graph(
      edges
        .filter(({ onDelete, recursive }) => onDelete === 'restrict' && recursive === undefined)
        .map((edge) => `  ${edge.kind} --> ${edge.from.name}`),
    ),
    '## How each kind is deleted',
    'First from the root to the leaves what brings it to rest, then from the leaves to the root what removes it. What takes part in the trash lies there in between, where the cloud keeps one. A kind that is deleted in no state goes with its owner alone.',
    deletions(registry),
  ]);
}

function arrows({ ownedIf, recursive, onDelete }: Edge): readonly string[] {
  const word = ownedIf ?? (recursive === true ? 'recursive' : undefined);
  return [
    ...(word === undefined ? [] : [`-->|${word}|`]),
    ...(onDelete === 'cascade' ? ['-->'] : []),
    ...(onDelete === 'detach' ? ['-.->'] : []),
  ];
}

const graph = (lines: readonly string[]): string => mermaid(['flowchart LR', ...new Set(lines)]);

function deletions(registry: Registry): string {
  const links = new Links(registry);
  const rows = registry.kinds().flatMap(({ name }) => {
    const deletion = registry.findDeletion(name);
    if (deletion === undefined) return [];
    const { from, quiesce, remove, trash } = deletion;
    const sagaLink = (saga: typeof remove | undefined) => {
      const known = saga === undefined ? undefined : registry.saga(sagaKey(saga));
      return known === undefined ? '' : links.saga(known);
    };
    return [[links.kind(name), code(from), sagaLink(quiesce), sagaLink(remove), trash === undefined ? '' : 'yes']];
  });
  return table(['Kind', 'Deleted in', 'First', 'Then', 'Trash'], rows);
}
