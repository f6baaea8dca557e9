import { expect } from 'chai';
import fc from 'fast-check';
import { matches } from '../../src/kernel/index.ts';

const isLike = (text: string, value: string): boolean => matches({ text }, { field: 'text', op: 'like', value });

describe('patterns of texts', () => {
  it('mean the same as a regular expression', () => {
    const letters = (of: string) => fc.array(fc.constantFrom(...of), { maxLength: 8 }).map((all) => all.join(''));
    fc.assert(
      fc.property(letters('ab\n😀%'), letters('ab\n😀%%_\\'), (text, pattern) => {
        const parts = pattern.match(/\\?[\s\S]/gu) ?? [];
        const source = parts.map((part) =>
          part === '%'
            ? '.*'
            : part === '_'
              ? '.'
              : (part.length > 1 && part.startsWith('\\') ? part.slice(1) : part).replace('\\', '\\\\'),
        );
        expect(isLike(text, pattern)).to.equal(new RegExp(`^${source.join('')}$`, 'su').test(text));
      }),
      { numRuns: 5000 },
    );
  });

  // By trying every way to part the text it would take longer than there is time.
  it('of callers do not keep the process busy', () => {
    expect(isLike('a'.repeat(1000), `${'%a'.repeat(100)}%b`)).to.equal(false);
    expect(isLike('a'.repeat(1000), '%a'.repeat(100))).to.equal(true);
  });
});

describe('fields of a row', () => {
  it('are its own', () => {
    expect(matches({ of: {} }, { field: 'of.constructor', op: 'not null' })).to.equal(false);
    expect(matches({ of: {} }, { field: 'toString', op: 'not null' })).to.equal(false);
  });
});
