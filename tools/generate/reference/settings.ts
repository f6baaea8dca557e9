import { GLOBAL, type Registry } from '@pileus/core/kernel';
import { cell, described, typeOf, unitOf } from '../schema.ts';
import { code, page, table } from './pages.ts';

/** docs/reference/settings.md: what operators may change while the cloud runs. */
export function settingsPage(registry: Registry): string {
  const { settings: catalog, plugins } = registry;
  const rows = catalog
    .all()
    .map(({ setting: { name, schema, default: standard, levels, description, tenantsRead }, plugin }) => [
      `\`${name}\``,
      cell(`${typeOf(described(schema))}${unitOf(name)}`),
      `\`${JSON.stringify(standard)}\``,
      code([GLOBAL, ...levels]),
      `${cell(description)}${tenantsRead ? ' Who may read the resource may read it.' : ''}`,
      plugin,
    ]);
  const levels = plugins.flatMap(({ id, settingLevels = [] }) =>
    settingLevels.map(({ kind, parent }) => {
      const above = parent === undefined ? GLOBAL : (catalog.levelAbove(kind, (name) => registry.findKind(name)) ?? GLOBAL);
      return [`\`${kind}\``, `\`${above}\`${parent === undefined ? '' : `, by \`${parent}\``}`, id];
    }),
  );
  return page([
    '# Settings',
    'What operators may change while the cloud runs: how is told in the [guide](../guides/settings.md). Where nothing is set, what the [configuration](config.md) says holds, or else the default.',
    table(['Setting', 'Type', 'Default', 'Levels', 'Meaning', 'Plugin'], rows),
    '## Levels',
    'A value holds for the resource that it is set on, and for all below it that have none of their own.',
    table(['Level', 'Inherits from', 'Plugin'], levels),
  ]);
}
