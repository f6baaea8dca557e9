/** An XML element as a value: what the builders make and what the reader gives back. Text and elements are not mixed in libvirt's documents. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  readonly text: string;
}

/** What a builder may pass as a child: text, an element, or nothing. */
export type Child = Element | string | number | undefined;

/** Makes an element. Attributes and children that are `undefined` are left out, so that optional parts need no branches. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>> = {},
  ...content: Child[]
): Element {
  const given = Object.entries(attributes).filter((entry): entry is [string, string | number] => entry[1] !== undefined);
  return {
    name,
    attributes: Object.fromEntries(given.map(([key, value]) => [key, String(value)])),
    children: content.filter((child): child is Element => typeof child === 'object'),
    text: content.filter((child) => typeof child === 'string' || typeof child === 'number').join(''),
  };
}

/** Writes an element with two spaces an indent. */
export function render(root: Element): string {
  return write(root, '');
}

function write(node: Element, indent: string): string {
  const attributes = Object.entries(node.attributes)
    .map(([key, value]) => ` ${key}='${encode(value)}'`)
    .join('');
  const open = `${indent}<${node.name}${attributes}`;
  if (node.children.length > 0) {
    return `${open}>\n${node.children.map((child) => write(child, `${indent}  `)).join('')}${indent}</${node.name}>\n`;
  }
  return node.text === '' ? `${open}/>\n` : `${open}>${encode(node.text)}</${node.name}>\n`;
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&apos;', '"': '&quot;' };

/** Control characters are not XML at all, escaped or not: they become spaces. */
function encode(text: string): string {
  return text.replace(/[&<>'"]/g, (char) => ESCAPES[char] ?? char).replace(/\p{Cc}/gu, ' ');
}

/** The first child of this name. */
export function child(node: Element | undefined, name: string): Element | undefined {
  return node?.children.find((each) => each.name === name);
}

export function childrenNamed(node: Element | undefined, name: string): readonly Element[] {
  return node?.children.filter((each) => each.name === name) ?? [];
}

/** The element at the end of a path of first children. */
export function descend(node: Element, ...path: readonly string[]): Element | undefined {
  return path.reduce<Element | undefined>(child, node);
}

/** Bytes of a libvirt size element such as `<memory unit='KiB'>65536</memory>`; bytes where it names no unit, as for volumes. */
export function sizeInBytes(node: Element | undefined, unitByDefault: SizeUnit = 'bytes'): number {
  if (node === undefined) return 0;
  const unit = node.attributes.unit ?? unitByDefault;
  return Number(node.text) * (UNIT_BYTES[unit] ?? Number.NaN);
}

type SizeUnit = 'bytes' | 'KiB';
const UNIT_BYTES: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  KiB: 2 ** 10,
  k: 2 ** 10,
  MiB: 2 ** 20,
  M: 2 ** 20,
  GiB: 2 ** 30,
  G: 2 ** 30,
  TiB: 2 ** 40,
  T: 2 ** 40,
};
