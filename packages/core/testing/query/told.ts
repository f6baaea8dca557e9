import type { AnyKind } from '../../src/kernel/kind.ts';
import type { Filter } from '../../src/kernel/query/ast.ts';

/** What a random query was about, counted where its answer told something: some of the rows, and not all. */
export class Told {
  #filtered = 0;
  #telling = 0;
  readonly #of = new Map<string, number>();

  /** @param all rows that the caller sees without the filters */
  count(where: readonly Filter[], { found, all }: { readonly found: number; readonly all: number }, about: readonly string[]): void {
    if (where.length === 0) return;
    this.#filtered += 1;
    if (found === 0 || found === all) return;
    this.#telling += 1;
    for (const each of new Set([...about, ...where.flatMap(wordsOf)])) this.#of.set(each, this.of(each) + 1);
  }

  /** Of the filtered queries those whose answer was neither empty nor everything. */
  get share(): number {
    return this.#telling / this.#filtered;
  }

  /** How many such answers had to do with a word: an operator, `has`, `along`, `kind:NAME` and so on. */
  of(word: string): number {
    return this.#of.get(word) ?? 0;
  }

  get text(): string {
    return `${this.#telling} of ${this.#filtered}: ${JSON.stringify(Object.fromEntries(this.#of))}`;
  }
}

export const WORDS: readonly string[] = [
  ...['=', '!=', '<', '<=', '>', '>=', 'in', 'not in', 'like', 'not like', 'null', 'not null'],
  ...['and', 'or', 'not', 'has', 'has:', 'along', 'tags', 'now', 'duration'],
];

/** What few fields are asked with. */
export const RARE: ReadonlySet<string> = new Set(['duration']);

export const kindWord = ({ name }: AnyKind): string => `kind:${name}`;

/** Of what a filter makes use. */
function wordsOf(filter: Filter): readonly string[] {
  if ('and' in filter) return ['and', ...filter.and.flatMap(wordsOf)];
  if ('or' in filter) return ['or', ...filter.or.flatMap(wordsOf)];
  if ('not' in filter) return ['not', ...wordsOf(filter.not)];
  if ('has' in filter) return filter.where === undefined ? ['has'] : ['has:', ...wordsOf(filter.where)];
  const path = filter.field.split('.');
  const value: unknown = 'value' in filter ? filter.value : undefined;
  const text = JSON.stringify(value) ?? '';
  return [
    filter.op,
    ...(path.length > 1 ? ['along'] : []),
    ...(path.at(-2) === 'tags' ? ['tags'] : []),
    ...(text.includes('"nowPlusMs"') ? ['now'] : []),
    ...(text.includes('"durationMs"') ? ['duration'] : []),
  ];
}
