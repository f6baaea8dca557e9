import type { AnyKind, AnySaga, Registry } from '@pileus/core/kernel';
import { anchor } from '../schema.ts';

/** The kinds of a plugin, told on one page. */
export interface KindPage {
  readonly plugin: string;
  readonly kinds: readonly AnyKind[];
}

export const kindPages = ({ plugins }: Registry): readonly KindPage[] =>
  plugins.flatMap(({ id, kinds = [] }) => (kinds.length === 0 ? [] : [{ plugin: id, kinds }]));

/** Links to kinds and sagas, from a page that is `up` away from docs/reference. */
export class Links {
  readonly #pages: ReadonlyMap<string, string>;
  readonly #up: string;

  constructor(registry: Registry, up = '') {
    this.#pages = new Map(kindPages(registry).flatMap(({ plugin, kinds }) => kinds.map(({ name }) => [name, plugin])));
    this.#up = up;
  }

  kind(name: string, text = name): string {
    return `[${text}](${this.#up}kinds/${this.#pages.get(name)}.md#${anchor(name)})`;
  }

  saga(saga: AnySaga): string {
    return `[${saga.name}](${this.#up}sagas.md#${anchor(sagaHeading(saga))})`;
  }
}

export const sagaHeading = ({ name, version }: AnySaga): string => (version === 1 ? name : `${name}, version ${version}`);

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n');

export const mermaid = (lines: readonly string[]): string => ['```mermaid', ...lines, '```'].join('\n');

export const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

/** Parts of a page, those that are not empty, with a line between them. */
export const page = (parts: readonly string[]): string => `${parts.filter((part) => part !== '').join('\n\n')}\n`;
