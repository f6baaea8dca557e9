import { type Command, Option } from 'commander';
import { EXIT, UsageError } from './exit.ts';
import { asJson, asYaml } from './printable.ts';
import type { Session } from './session.ts';
import { table } from './table.ts';

interface Entry {
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly resourceKind?: string;
  readonly resourceId?: string;
  readonly result: string;
  readonly error?: { readonly code: string };
}

interface Verdict {
  readonly whole: boolean;
  readonly links: number;
  readonly unsealed: number;
  readonly head: { readonly number: number; readonly hash: string };
  readonly faults: readonly { readonly number: number; readonly id?: string; readonly fault: string }[];
}

interface Flags {
  readonly output: 'table' | 'json' | 'yaml';
  readonly limit: number;
  readonly number?: string;
  readonly hash?: string;
  readonly [filter: string]: unknown;
}

const FILTERS = [
  ['actor', 'only what this one asked for, e.g. key:root'],
  ['action', 'only this action, e.g. instance.create'],
  ['resource-kind', 'only on resources of this kind'],
  ['resource-id', 'only on this resource'],
  ['result', 'only what ended so: pending, succeeded, failed, cancelled, interrupted, unknown, denied'],
  ['since', 'only from this time on, e.g. 2026-11-21T09:00:00Z'],
  ['until', 'only before this time'],
  ['of', 'of the project, of its account, or of the whole cloud: project, account, cloud'],
] as const;
const PAGE_MAX = 1000;

const output = () => new Option('-o, --output <format>', 'how to show it').choices(['table', 'json', 'yaml']).default('table');

export function addAudit(program: Command, session: Session): void {
  const audit = program.command('audit').description('Shows who has changed what, and whether that was tampered with.');
  const list = audit.command('list').alias('get').description('Shows who has changed what, newest first.');
  for (const [name, description] of FILTERS) list.option(`--${name} <value>`, description);
  list
    .addOption(new Option('--limit <n>', 'at most so many').argParser(wholeNumber).default(50))
    .addOption(output())
    .action(async (flags: Flags) => {
      const found = await entries(session, flags);
      if (found.length === 0 && flags.output === 'table') return session.note('There are no such entries.');
      session.out(shown(found, flags.output, session.width));
    });
  audit
    .command('verify')
    .description('Looks at every entry, and names those that were changed, dropped or swapped. Ends with 1 if there are any.')
    .option('--number <n>', 'a head that was shown before: its number,')
    .option('--hash <hash>', 'and its hash')
    .addOption(output())
    .action(async (flags: Flags) => {
      const { cloud } = await session.server();
      const below = cloud.endpoints('audit');
      const query = { number: flags.number, hash: flags.hash };
      const verdict = await below.value<Verdict>({ method: 'GET', path: below.path('verify'), query }, { signal: session.signal });
      session.out(flags.output === 'table' ? explained(verdict) : formatted(verdict, flags.output));
      if (!verdict.whole) throw new UsageError('The audit was tampered with.', 'Compare it with a backup of before.', EXIT.error);
    });
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new UsageError('--limit: it must be a whole number of at least 1.');
  return Number(text);
}

/** Page by page. */
async function entries(session: Session, flags: Flags): Promise<readonly Entry[]> {
  const { cloud } = await session.server();
  const below = cloud.endpoints('audit');
  const filters = Object.fromEntries(FILTERS.map(([name]) => [attributeOf(name), flags[attributeOf(name)]]));
  const found: Entry[] = [];
  for (let after: string | undefined; found.length < flags.limit; ) {
    const query = { ...filters, limit: Math.min(PAGE_MAX, flags.limit - found.length), after };
    const page = await below.value<{ readonly items: readonly Entry[]; readonly next?: string }>(
      { method: 'GET', path: below.path(), query },
      { signal: session.signal },
    );
    found.push(...page.items);
    after = page.next;
    if (after === undefined) break;
  }
  return found;
}

const attributeOf = (name: string): string => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

const formatted = (value: unknown, format: 'json' | 'yaml'): string => (format === 'json' ? asJson(value, 2) : asYaml(value));

function shown(found: readonly Entry[], format: Flags['output'], width: number | undefined): string {
  if (format !== 'table') return formatted(found, format);
  const rows = found.map(({ at, actor, action, result, error, resourceId }) => [
    ...[at, actor, action, error === undefined ? result : `${result} (${error.code})`],
    resourceId ?? '-',
  ]);
  return table(['AT', 'ACTOR', 'ACTION', 'RESULT', 'RESOURCE'], rows, width);
}

function explained({ whole, links, unsealed, head, faults }: Verdict): string {
  const lines = faults.map(({ number, fault, id }) => `${fault.padEnd(9)}  ${number}${id === undefined ? '' : `  ${id}`}`);
  const verdict = whole
    ? `whole: ${links} entries, ${unsealed} about to follow`
    : `tampered with: ${faults.length} faults in ${links} entries`;
  return [...lines, verdict, `head: --number ${head.number} --hash ${head.hash}`, ''].join('\n');
}
