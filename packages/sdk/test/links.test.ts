import { expect } from 'chai';
import { linkSchemas } from '../src/document/links.ts';

describe('sdk: links of inputs', () => {
  it('take the longest kind that a field names', () => {
    const uuid = { type: 'string', format: 'uuid' };
    const fields = { placementGroupId: uuid, groupId: uuid, ownerGroupId: uuid };
    const linked = linkSchemas({ Input: { properties: fields } }, ['group', 'placementGroup']);
    const kinds = Object.entries(linked.Input?.properties ?? {}).map(([field, schema]) => [field, schema['x-ref']?.kind]);
    expect(kinds).to.deep.equal([
      ['placementGroupId', 'placementGroup'],
      ['groupId', 'group'],
      ['ownerGroupId', 'group'],
    ]);
  });
});
