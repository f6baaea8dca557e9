import type { Element } from './element.ts';

/**
 * Reads the documents that libvirt writes: elements, attributes, text, entities, comments. It is no general XML reader: no DTD, no namespace
 * resolution (prefixes stay in names), and text beside elements is white space that is dropped.
 */
export function parse(document: string): Element {
  const open: Draft[] = [{ name: '', attributes: {}, children: [], text: '' }];
  for (const match of document.matchAll(TOKEN)) {
    const top = open.at(-1);
    if (top === undefined) throw new SyntaxError('XML: an element is closed that was never opened');
    const [, closing, opening, attributes = '', selfClosing, text] = match;
    if (text !== undefined) top.text += decode(text);
    else if (closing !== undefined) {
      if (top.name !== closing) throw new SyntaxError(`XML: </${closing}> closes <${top.name}>`);
      open.pop();
      open.at(-1)?.children.push(finish(top));
    } else if (opening !== undefined) {
      const draft: Draft = { name: opening, attributes: readAttributes(attributes), children: [], text: '' };
      if (selfClosing === '/') top.children.push(finish(draft));
      else open.push(draft);
    }
  }
  const [root, ...rest] = open[0]?.children ?? [];
  if (open.length !== 1 || root === undefined || rest.length > 0) throw new SyntaxError('XML: the document is not one whole element');
  return root;
}

interface Draft {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: Element[];
  text: string;
}

/** A comment or declaration, a closing tag, an opening tag, or text. Attribute values may hold `>`, so they are matched as quoted strings. */
const TOKEN = /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<\/([^\s>]+)\s*>|<([^\s/>!?]+)((?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|([^<]+)/g;
const ATTRIBUTE = /([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

function readAttributes(source: string): Record<string, string> {
  const read = Array.from(source.matchAll(ATTRIBUTE), ([, key = '', double, single]) => [key, decode(double ?? single ?? '')] as const);
  return Object.fromEntries(read);
}

function finish(draft: Draft): Element {
  return draft.children.length > 0 ? { ...draft, text: '' } : draft;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', apos: "'", quot: '"' };

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([a-z]+));/g, (whole, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name] ?? whole;
  });
}
