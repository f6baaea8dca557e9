import { assert as always, expect } from 'chai';
import fc from 'fast-check';
import type { Element } from '../../src/xml/element.ts';
import { descend, element, render, sizeInBytes } from '../../src/xml/element.ts';
import { parse } from '../../src/xml/reader.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9:_-]{0,8}$/);
// White space at the ends of text is layout to the reader's callers, and control characters are not XML.
const text = fc.string({ unit: 'grapheme' }).map((raw) => raw.replace(/\p{Cc}/gu, '').trim());

const tree = fc.letrec<{ node: Element }>((tie) => ({
  node: fc
    .record({
      name,
      attributes: fc.dictionary(name, text, { maxKeys: 3 }),
      children: fc.oneof({ maxDepth: 3 }, fc.constant([]), fc.array(tie('node'), { maxLength: 3 })),
      text,
    })
    .map((node) => ({ ...node, attributes: { ...node.attributes }, text: node.children.length > 0 ? '' : node.text })),
})).node;

describe('XML', () => {
  it('reads back what it wrote, whatever the names and texts', () => {
    fc.assert(fc.property(tree, (root) => always.deepEqual(parse(render(root)), root)));
  });

  it('leaves out what is undefined', () => {
    expect(render(element('a', { b: undefined, c: 1 }, undefined, element('d', {}, 5)))).to.equal("<a c='1'>\n  <d>5</d>\n</a>\n");
  });

  it('escapes what would end a value, and drops what is not XML', () => {
    expect(render(element('a', { b: `<&>'"\u0000` }, '\u0007]]>'))).to.equal("<a b='&lt;&amp;&gt;&apos;&quot; '> ]]&gt;</a>\n");
  });

  it('reads declarations, comments, entities and both quotes', () => {
    const root = parse(`<?xml version="1.0"?>\n<!-- <a> -->\n<a b="1'2" c='3"&gt;4>'><d>&#65;&#x42;&amp;</d><e/></a>\n`);
    expect(root.attributes).to.deep.equal({ b: "1'2", c: '3">4>' });
    expect(descend(root, 'd')?.text).to.equal('AB&');
    expect(descend(root, 'e')?.children).to.deep.equal([]);
  });

  it('refuses what is not one whole element', () => {
    for (const broken of ['', 'text', '<a>', '<a></b>', '</a>', '<a/><b/>', '<a><b></a></b>'])
      expect(() => parse(broken), broken).to.throw(SyntaxError);
  });

  it('counts sizes in their unit', () => {
    expect(sizeInBytes(element('memory', { unit: 'KiB' }, 64))).to.equal(65_536);
    expect(sizeInBytes(element('capacity', {}, 7))).to.equal(7);
    expect(sizeInBytes(element('memory', {}, 2), 'KiB')).to.equal(2_048);
    expect(sizeInBytes(undefined)).to.equal(0);
  });
});
