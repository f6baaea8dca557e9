import { type Action, type AnyKind, type RefEdge, type Registry, tableOf } from '@pileus/core/kernel';
import { cell, type Described, described, membersOf, typeOf, unitOf } from '../schema.ts';
import { code, type KindPage, Links, mermaid, page, table } from './pages.ts';

const OWNERS = { project: 'Belongs to a project', account: 'Belongs to an account', cloud: "The operator's" } as const;

/** The page of a plugin's kinds: docs/reference/kinds/<plugin>.md. */
export function kindPage(registry: Registry, { plugin, kinds }: KindPage): string {
  const links = new Links(registry, '../');
  const intro = `Kinds of the plugin \`${plugin}\`: ${kinds.map(({ name }) => links.kind(name)).join(', ')}. Beside the fields below, every row has those [that all rows have](../README.md#fields-of-every-row).`;
  return page([`# ${plugin}`, intro, ...kinds.flatMap((kind) => kindSection(registry, links, kind))]);
}

function kindSection(registry: Registry, links: Links, kind: AnyKind): readonly string[] {
  const actions = registry.actions().filter((action) => action.kind.name === kind.name);
  return [
    `## ${kind.name}`,
    kind.description,
    facts(registry, kind),
    '### Fields',
    fieldTable(links, kind),
    '### States',
    states(kind),
    ...references(registry, links, kind),
    ...(actions.length === 0 ? [] : ['### Actions', actionTable(links, actions)]),
  ];
}

/** Where its rows are, who sees them, what they count for, how they are found. */
function facts(registry: Registry, kind: AnyKind): string {
  const { shareable, quota = {} } = kind;
  const visible = [
    `read with \`${kind.name}.read\``,
    kind.tenantsRead === true ? "tenants' roles may grant that" : '',
    kind.operatorsIf === undefined ? '' : `those with \`${kind.operatorsIf}\` by the operator alone`,
    shareable === undefined ? '' : shareable === true ? 'can be shared with other projects' : `shared with its \`${shareable}\``,
  ];
  const counters = Object.entries(quota as Readonly<Record<string, 1 | string>>);
  const { columns, unique: keys } = tableOf(kind);
  const lines = [
    `\`/v1/${kind.plural}\`. ${OWNERS[kind.scope as keyof typeof OWNERS]}; ${visible.filter((word) => word !== '').join('; ')}.`,
    counters.length === 0 ? '' : `Quota: ${counters.map(([name, by]) => `\`${name}\` ${by === 1 ? 'by 1' : `by \`${by}\``}`).join(', ')}.`,
    keys.length === 0 ? '' : `Unique among live rows: ${keys.map((key) => key.map((field) => `\`${field}\``).join(' with ')).join('; ')}.`,
    `Indexed: ${code(Object.keys(columns))}.`,
    registry.takesAttached(kind) ? '' : 'Takes no tags.',
  ];
  return lines.filter((line) => line !== '').join(' ');
}

function fieldTable(links: Links, kind: AnyKind): string {
  const { properties = {}, required = [] } = described(kind.schema);
  const type = (name: string, field: Described): string => {
    const edge = kind.refs.find((each: RefEdge) => each.field === name);
    return edge === undefined
      ? `${typeOf(field)}${unitOf(name)}${kind.secretFields.includes(name) ? ', sealed' : ''}`
      : `id of ${links.kind(edge.kind)}`;
  };
  const rows = Object.entries(properties).map(([name, field]) => [
    `\`${name}\`${required.includes(name) ? '' : '?'}`,
    cell(type(name, field)),
    cell(field.description ?? ''),
  ]);
  return rows.length === 0 ? 'None of its own.' : table(['Field', 'Type', 'Meaning'], rows);
}

function states(kind: AnyKind): string {
  const moves = Object.entries(kind.states as Readonly<Record<string, readonly string[]>>);
  return mermaid([
    'stateDiagram-v2',
    `  [*] --> ${kind.initial}`,
    ...moves.flatMap(([from, to]) => to.map((next) => `  ${from} --> ${next === 'deleted' ? '[*]' : next}`)),
  ]);
}

const WHEN_DELETED = {
  restrict: 'its deletion is refused while this is there',
  cascade: 'this goes along',
  detach: 'this is let go',
} as const;

/** What becomes of this row when the other goes. */
export function fate(kind: AnyKind, edge: RefEdge): string {
  const { onDelete, ownedIf, recursive, field } = edge;
  const move = kind.detached?.[field] as { readonly from: readonly string[]; readonly to: string } | undefined;
  return [
    ownedIf === undefined ? '' : `if \`${ownedIf}\`, this goes along; otherwise `,
    WHEN_DELETED[onDelete],
    move === undefined ? '' : ` and becomes \`${move.to}\` (from ${code(move.from)})`,
    recursive === undefined ? '' : ', unless asked for with `recursive`: then this goes along',
  ].join('');
}

function references(registry: Registry, links: Links, kind: AnyKind): readonly string[] {
  const out = kind.refs.map((edge: RefEdge) => [`\`${edge.field}\``, links.kind(edge.kind), fate(kind, edge)]);
  const back = registry
    .edgesTo(kind.name)
    .map(({ kind: other, edge }) => [
      links.kind(other.name),
      `\`${edge.field}\``,
      fate(other, edge).replaceAll('its deletion', 'the deletion').replaceAll('this', 'that'),
    ]);
  return [
    ...(out.length + back.length === 0 ? [] : ['### References']),
    out.length === 0 ? '' : table(['Field', 'Points to', 'When that is deleted'], out),
    back.length === 0 ? '' : table(['Referred to by', 'In', 'When this is deleted'], back),
  ];
}

function actionTable(links: Links, actions: readonly Action[]): string {
  const rows = actions.map(({ name, description, input, from, target, saga }) => [
    `\`${name}\``,
    cell(description),
    membersOf(described(input)).map(cell).join('<br>'),
    from !== undefined ? code(from) : target === 'resource' ? 'any' : '',
    links.saga(saga),
  ]);
  return table(['Action', 'Does', 'Input', 'In states', 'Saga'], rows);
}
