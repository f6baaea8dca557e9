import { expect } from 'chai';
import { refusalsIn } from '../../tools/generate/reference/refusals.ts';

describe('the reference of refusals', () => {
  it('tells what errors say, whatever their texts are made of', () => {
    const source = `
      throw new CloudError('conflict', 'It is there, (already).', { pointer: '/name' });
      throw new CloudError(
        'not_found',
        \`No \${kind.name} \${idOrName}\${known.length > 0 ? \`; there is \${known.join(', ')}\` : ''}.\`,
        { params: { a: [1] }, pointer: \`/items/\${index}\` },
      );
      throw new CloudError('refused', isOff ? 'It is off.' : \`It isn't "on" for \${state}.\`);
      throw new CloudError(code, 'Of another.');
      throw new CloudError('invalid_input', message);
      throw new CloudError('invalid_input', error.publicMessage.replace('The field', 'The parameter'), {});
    `;
    expect(refusalsIn(source)).to.deep.equal([
      { code: 'conflict', text: 'It is there, (already).', pointer: '/name' },
      { code: 'not_found', text: 'No *kind* *idOrName*….', pointer: '/items/*index*' },
      { code: 'refused', text: 'It is off.', pointer: '' },
      { code: 'refused', text: 'It isn\'t "on" for *state*.', pointer: '' },
    ]);
  });
});
