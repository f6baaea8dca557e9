import { glob, readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import type { Registry } from '@pileus/core/kernel';
import { cell } from '../schema.ts';
import { code, page, table } from './pages.ts';

const SOURCES = normalize(join(import.meta.dirname, '../../../packages/core/src'));

interface Declared {
  /** Name of the exported value. */
  readonly name: string;
  readonly types: string;
  readonly comment: string;
}

/** docs/reference/hooks.md: where plugins may hook in, told by the comments of the points themselves. */
export async function hooksPage(registry: Registry): Promise<string> {
  const declared = await points();
  const rows = registry.plugins.flatMap(({ id: plugin, points: own = [] }) =>
    own.map(({ type, id }) => {
      const found = declared.get(id);
      if (found === undefined || found.comment === '')
        throw new Error(`the hook ${id} is nowhere declared with a comment that says what it is for`);
      const users = registry.plugins.filter(({ hooks = [] }) => hooks.some(({ point }) => point.id === id)).map((user) => user.id);
      return { type, row: [`\`${id}\``, `\`${found.name}\``, cell(found.comment), `\`${cell(found.types)}\``, plugin, code(users)] };
    }),
  );
  const section = (type: string, title: string, text: string): readonly string[] => {
    const own = rows.filter((each) => each.type === type).map(({ row }) => row);
    return [`## ${title}`, text, table(['Point', 'Value', 'What for', 'Told, and answered', 'Plugin', 'Used by'], own)];
  };
  return page([
    '# Hooks',
    'Points that plugins hook into, with `onGate`, `onContribution` and `onNotice` of `@pileus/core/kernel` in their `hooks`. Who comes before whom is declared (`after`), never a matter of chance.',
    ...section('gate', 'Gates', 'May refuse, before anything changes, with `refused`. One that throws, or is late, refuses.'),
    ...section('contribution', 'Contributions', 'Add values; asked in declared order. One that throws fails what asked.'),
    ...section('notice', 'Notices', 'Told after the commit, at least once; they change no outcome. One that throws is told again.'),
  ]);
}

const POINT =
  /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?export const (\w+) = (?:gate|contribution|notice)<((?:(?!export )[\s\S])*?)>\(\s*'([\w.]+)'/g;

async function points(): Promise<ReadonlyMap<string, Declared>> {
  const found = new Map<string, Declared>();
  for await (const file of glob('**/*.ts', { cwd: SOURCES }))
    for (const [, comment = '', name = '', types = '', id = ''] of (await readFile(join(SOURCES, file), 'utf8')).matchAll(POINT))
      found.set(id, { name, types: oneLine(types).replaceAll('readonly ', ''), comment: oneLine(comment.replaceAll(/^\s*\*/gm, '')) });
  return found;
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();
