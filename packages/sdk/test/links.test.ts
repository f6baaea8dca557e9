import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { linkSchemas } from '../src/document/links.ts';
import type { Schema } from '../src/document/schema.ts';

const DOCUMENT = new URL('../../../docs/reference/openapi.json', import.meta.url);
/** Of any kind, which a field beside it names. */
const OF_ANY_KIND = ['id', 'resourceId', 'resourceIds', 'causeId', 'rootId'];

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

  it('are known of every id that is asked for: it may be given by name', async () => {
    const { schemas } = JSON.parse(await readFile(DOCUMENT, 'utf8')).components as { readonly schemas: Readonly<Record<string, Schema>> };
    const kindOf = (schema: Schema) => (schema as { readonly 'x-pileus-kind'?: string })['x-pileus-kind'];
    const kinds = Object.values(schemas).flatMap((schema) => kindOf(schema) ?? []);
    const unknown: string[] = [];
    const look = (schema: Schema, at: string): void => {
      for (const [field, each] of Object.entries(schema.properties ?? {})) {
        const one = typeof each.items === 'object' ? each.items : each;
        if (one.format === 'uuid' && one['x-ref'] === undefined && /Ids?$/.test(field) && !OF_ANY_KIND.includes(field))
          unknown.push(`${at}.${field}`);
        look(one, `${at}.${field}`);
      }
    };
    for (const [name, schema] of Object.entries(linkSchemas(schemas, kinds))) if (kindOf(schema) === undefined) look(schema, name);
    expect(kinds).to.include('backupStore');
    expect(unknown).to.deep.equal([]);
  });
});
