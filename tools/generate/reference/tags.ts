import { type Registry, SYSTEM_TAGS_MAX, type SystemTag, TAGS_MAX } from '@pileus/core/kernel';
import { cell, described, typeOf } from '../schema.ts';
import { code, Links, page, table } from './pages.ts';

/** docs/reference/tags.md: what takes tags, and the system tags that there are. */
export function tagsPage(registry: Registry): string {
  const links = new Links(registry);
  const [taking, others] = [true, false].map((takes) => registry.kinds().filter((kind) => registry.takesAttached(kind) === takes));
  const named = (kinds: typeof taking) => (kinds ?? []).map(({ name }) => links.kind(name)).join(', ');
  const tags = registry.systemTags.known(true);
  return page([
    '# Tags',
    'How they are used is told by [the guide](../guides/tags.md).',
    '## What takes tags',
    `${named(taking)} take up to ${TAGS_MAX} tags and up to ${SYSTEM_TAGS_MAX} system tags each. These take none: ${named(others)}.`,
    '## System tags',
    'Typed words of plugins, with what they are declared with (`defineSystemTag` of `@pileus/core/kernel`). A server lists those of its own plugins: `GET /v1/system-tags/known`, `pileus system-tags get-known`.',
    tags.length === 0 ? 'The cloud declares none by itself: all come with plugins.' : systemTags(links, tags),
    '## What a declaration says',
    table(
      ['Property', 'Default', 'Meaning'],
      PROPERTIES.map(([name, preset, meaning]) => [`\`${name}\``, preset, meaning]),
    ),
  ]);
}

const PROPERTIES: readonly (readonly [keyof SystemTag, string, string])[] = [
  ['name', '', 'What it is about, a dot, and the word: `racks.only`.'],
  ['description', '', 'For people.'],
  ['kinds', '', 'Of what it may be put on; these take tags.'],
  ['value', '', 'JSON schema of its value: a text, a whole number, or yes and no.'],
  ['many', 'one', 'Several values at once; otherwise the next takes the place of the one before.'],
  ['lifecycle', '`resource`', 'With the resource; `ephemeral`: until the server starts again.'],
  ['adminOnly', 'no', "The operator's alone, to put on and to see."],
  ['secret', 'no', 'Sealed where it is stored, and never shown.'],
  ['affects', 'the resource itself', 'Rows of which kinds are steered by it, and by which field they name the resource.'],
  ['check', '', 'Looks at what the schema cannot tell, and may refuse.'],
];

function systemTags(links: Links, tags: readonly SystemTag[]): string {
  const rows = tags.map(({ name, description, kinds, value, many, lifecycle = 'resource', adminOnly, secret, affects = [] }) => [
    `\`${name}\``,
    cell(description),
    kinds.map((kind) => links.kind(kind)).join(', '),
    `${cell(typeOf(described(value)))}${many === true ? ', several' : ''}`,
    code([lifecycle, ...(adminOnly === true ? ['adminOnly'] : []), ...(secret === true ? ['secret'] : [])]),
    affects.map(({ kind, by }) => `${links.kind(kind)} by \`${by}\``).join(', '),
  ]);
  return table(['Tag', 'Meaning', 'On', 'Value', 'Is', 'Affects'], rows);
}
