import { glob, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { ERROR_CODES } from '@pileus/core/kernel';
import { cell } from '../schema.ts';
import { page, table } from './pages.ts';

const ROOT = normalize(join(import.meta.dirname, '../../..'));

/** Folders whose refusals reach callers, each with what its section is called. */
const SECTIONS = [
  { title: 'Every call', files: ['packages/core/src/kernel/{*,api/*}.ts', 'packages/server/src/{auth,http,limits}/*.ts'] },
  { title: 'Queries', files: ['packages/core/src/kernel/query/*.ts'] },
  { title: 'Deletions', files: ['packages/core/src/kernel/cascade/*.ts'] },
  { title: 'Quotas', files: ['packages/core/src/kernel/quota/*.ts', 'packages/core/src/cloud/identity/quota*.ts'] },
  { title: 'Tags', files: ['packages/core/src/kernel/tags/*.ts'] },
  { title: 'Settings', files: ['packages/core/src/kernel/settings/*.ts', 'packages/core/src/cloud/settings/*.ts'] },
  { title: 'The audit', files: ['packages/core/src/kernel/audit/*.ts'] },
  { title: 'Operations', files: ['packages/core/src/kernel/saga/*.ts', 'packages/core/src/cloud/*.ts'] },
  { title: 'Accounts, users, roles and keys', files: ['packages/core/src/cloud/identity/!(quota)*.ts'] },
  { title: 'Zones, clusters, hosts and strays', files: ['packages/core/src/cloud/topology/*.ts'] },
  {
    title: 'Pools, volumes, snapshots and images',
    files: ['packages/core/src/cloud/storage/{*,snapshots/*}.ts', 'packages/core/src/node/*.ts'],
  },
  { title: 'Backups', files: ['packages/core/src/cloud/backup/*.ts'] },
  { title: 'Networks, subnets and NICs', files: ['packages/core/src/cloud/network/*.ts'] },
  { title: 'Placement', files: ['packages/core/src/cloud/placement/*.ts'] },
  { title: 'Instances and instance types', files: ['packages/core/src/cloud/compute/*.ts'] },
  { title: 'Webhooks and callbacks', files: ['packages/core/src/cloud/events/*.ts'] },
  { title: 'Stacks', files: ['packages/core/src/cloud/stacks/*.ts'] },
] as const;

interface Refusal {
  readonly code: string;
  readonly text: string;
  readonly pointer: string;
}

/** docs/reference/refusals.md: what errors say, by what was asked for, as the sources have it. */
export async function refusalsPage(): Promise<string> {
  const sections: string[] = [];
  const seen = new Set<string>();
  for (const { title, files } of SECTIONS) {
    const found = new Map<string, Refusal>();
    for (const file of await filesOf(files)) {
      if (seen.has(file)) continue;
      seen.add(file);
      for (const refusal of refusalsIn(await readFile(join(ROOT, file), 'utf8'))) found.set(JSON.stringify(refusal), refusal);
    }
    const rows = [...found.values()]
      .sort((one, other) => order(one).localeCompare(order(other), 'en'))
      .map(({ code, text, pointer }) => [
        `[\`${code}\`](errors.md#${code})`,
        cell(text),
        pointer === '' ? '' : `\`${pointer.replaceAll('*', '')}\``,
      ]);
    if (rows.length > 0) sections.push(`## ${title}`, table(['Code', 'Detail', 'Pointer'], rows));
  }
  return page([
    '# Refusals',
    'What errors say, read from the sources; `…`, and names in italics, stand for what is of the occasion. [Errors](errors.md) tells what the codes mean, [the questions](../guides/faq.md) what to do about those that people meet first. What drivers, plugins and the check of an input say, is not here: that of an input names the field and what would do.',
    ...sections,
  ]);
}

const order = ({ code, text, pointer }: Refusal): string => `${code} ${text} ${pointer}`;

async function filesOf(patterns: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const pattern of patterns) for await (const file of glob(pattern, { cwd: ROOT })) files.push(file);
  return files.sort((one, other) => dirname(one).localeCompare(dirname(other), 'en') || one.localeCompare(other, 'en'));
}

const MADE = /new CloudError\(\s*'(\w+)',\s*/g;

/** The errors that a source makes with a text of its own. Those that pass on what others say are told there. */
export function refusalsIn(source: string): readonly Refusal[] {
  const found: Refusal[] = [];
  for (const match of source.matchAll(MADE)) {
    const [made, code = ''] = match;
    if (!(code in ERROR_CODES)) throw new Error(`${code} is no code of an error`);
    const [message = '', options = ''] = argumentsAt(source, match.index + made.length);
    // What others have said is only turned round here.
    if (message.includes('.replace(')) continue;
    const pointer = /\bpointer: ('[^']*'|`[^`]*`)/.exec(options)?.[1] ?? '';
    for (const text of textsIn(message)) found.push({ code, text, pointer: textsIn(pointer)[0] ?? '' });
  }
  return found;
}

/** The sources of the arguments of a call from here on, to its closing parenthesis. */
function argumentsAt(source: string, start: number): readonly string[] {
  const parts: string[] = [];
  let from = start;
  for (let at = start, depth = 0; at < source.length; at += 1) {
    const char = source[at] ?? '';
    if (QUOTES.has(char)) at = endOfText(source, at);
    else if ('([{'.includes(char)) depth += 1;
    else if (depth > 0 && ')]}'.includes(char)) depth -= 1;
    else if (depth === 0 && (char === ',' || char === ')')) {
      parts.push(source.slice(from, at));
      from = at + 1;
      if (char === ')') break;
    }
  }
  return parts;
}

const QUOTES: ReadonlySet<string> = new Set(["'", '"', '`']);

/** Where a text that begins here ends; what a template fills in may hold texts itself. */
function endOfText(source: string, start: number): number {
  const quote = source[start];
  let at = start + 1;
  for (; at < source.length && source[at] !== quote; at += 1) {
    if (source[at] === '\\') at += 1;
    else if (quote === '`' && source.startsWith('${', at)) at = endOfFilling(source, at + 2);
  }
  return at;
}

function endOfFilling(source: string, start: number): number {
  let depth = 1;
  let at = start;
  for (; at < source.length; at += 1) {
    const char = source[at] ?? '';
    if (QUOTES.has(char)) at = endOfText(source, at);
    else if (char === '{') depth += 1;
    else if (char === '}') depth -= 1;
    if (depth === 0) break;
  }
  return at;
}

/** The texts of an expression, with `…` for what is filled in. A text that only steers it, as in a comparison, has no space in it. */
function textsIn(expression: string): readonly string[] {
  const texts: string[] = [];
  for (let at = 0; at < expression.length; at += 1) {
    if (!QUOTES.has(expression[at] ?? '')) continue;
    const end = endOfText(expression, at);
    const text = filled(expression.slice(at + 1, end));
    if (/[ /]/.test(text)) texts.push(text);
    at = end;
  }
  return texts;
}

/** What stands for a value: its name, where it has one that says something. */
function named(expression: string): string {
  const value = /^inWords\((.*)\)$/.exec(expression)?.[1] ?? expression;
  const path = /^[A-Za-z]\w*(\.\w+)*$/.test(value) ? value.split('.') : [];
  const name = path.at(-1) === 'name' && path.length > 1 ? path.at(-2) : path.at(-1);
  return name === undefined ? '…' : `*${name}*`;
}

function filled(text: string): string {
  let shown = '';
  for (let at = 0; at < text.length; at += 1) {
    if (text.startsWith('${', at)) {
      const end = endOfFilling(text, at + 2);
      shown += named(text.slice(at + 2, end));
      at = end;
    } else if (text[at] !== '\\') shown += text[at];
  }
  return shown;
}
