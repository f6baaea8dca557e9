import type { Registry } from '@pileus/core/kernel';
import { cell, described, typeOf } from '../schema.ts';
import { kindPages, Links, page, table } from './pages.ts';

/** What every row has means the same everywhere. */
const SYSTEM_FIELDS: Readonly<Record<string, string>> = {
  id: 'Never changes, never used again.',
  projectId: 'On what belongs to a project.',
  accountId: 'On what belongs to an account.',
  name: 'Chosen by its owner; stands for the id in paths.',
  state: 'One of the states of its kind, or `deleted`.',
  stateReason: 'Why it is in this state, since when.',
  generation: 'Grows by one with each write; the `ETag`.',
  observedGeneration: 'The generation at which the real thing was last seen to agree.',
  createdAt: 'When it was accepted.',
  updatedAt: 'When it was last written.',
  deletedAt: 'When it was deleted.',
  revision: 'Position of its last change in the feed of changes.',
  schemaVersion: 'Shape of the stored row.',
};

/** docs/reference/README.md: the way to all the others. */
export function readme(registry: Registry): string {
  const links = new Links(registry);
  const kinds = kindPages(registry).flatMap((each) =>
    each.kinds.map((kind) => [links.kind(kind.name), cell(kind.description), `[${each.plugin}](kinds/${each.plugin}.md)`]),
  );
  return page([
    '# Reference',
    'Generated from what the code declares, by `npm run generate`; a page that no longer says what the code does fails `npm test`. Nothing here is written by hand. Where to begin instead: the [guides](../guides).',
    table(
      ['Page', 'Tells'],
      [
        ['[Kinds](#kinds)', 'what there is: fields, states, references, quota, indexes, actions with their input'],
        ['[Actions](actions.md)', 'all calls with their permissions and errors'],
        ['[Errors](errors.md)', 'codes, and whether to try again; the [questions](../guides/faq.md) that they raise'],
        ['[Refusals](refusals.md)', 'what errors say, by what was asked for'],
        ['[Deletions](cascade.md)', 'what goes with what, what stops what'],
        ['[Sagas](sagas.md)', 'the steps of what is done, and the way back'],
        ['[Tags](tags.md)', 'what takes them, and the system tags of plugins'],
        ['[Hooks](hooks.md)', 'where plugins may hook in'],
        ['[Settings](settings.md)', 'what operators change while the cloud runs'],
        ['[Configuration](config.md)', 'keys of the server'],
        ['[openapi.json](openapi.json)', 'the API for programs'],
      ],
    ),
    '## Kinds',
    table(['Kind', 'What it is', 'Plugin'], kinds),
    '## Fields of every row',
    'A field with a question mark may be absent. Units are last in names: `sizeBytes`, `timeoutMs`.',
    systemFields(registry),
  ]);
}

function systemFields(registry: Registry): string {
  const all = registry.kinds().map(({ rowSchema }) => described(rowSchema));
  const rows = Object.entries(SYSTEM_FIELDS).map(([name, meaning]) => {
    const own = all.find(({ properties = {} }) => properties[name] !== undefined);
    const field = own?.properties?.[name];
    if (own === undefined || field === undefined) throw new Error(`no kind has the field ${name}`);
    const isEverywhere = all.every(({ required = [] }) => required.includes(name));
    return [`\`${name}\`${isEverywhere ? '' : '?'}`, name === 'state' ? 'string' : cell(typeOf(field)), meaning];
  });
  return table(['Field', 'Type', 'Meaning'], rows);
}
