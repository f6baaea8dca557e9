import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type ApiDocument, breaks } from '../../tools/generate/additive.ts';

const CURRENT = new URL('../../docs/reference/openapi.json', import.meta.url);
/** The documents of releases, by version. */
const RELEASES = new URL('../../packages/server/test/release/documents/', import.meta.url);

const read = (file: URL) => JSON.parse(readFileSync(file, 'utf8'));
// biome-ignore lint/suspicious/noExplicitAny: tests change JSON of any shape.
type Change = (document: any) => unknown;
const volumeFields: (document: Parameters<Change>[0]) => Record<string, unknown> = ({ components }) =>
  components.schemas.VolumeCreate.properties;

const BREAKING: readonly (readonly [what: string, Change, told: RegExp])[] = [
  ['a route goes', ({ paths }) => delete paths['/v1/volumes/{idOrName}/resize'], /^volumes\.resize .* is gone$/],
  ['a field that is sent goes', (document) => delete volumeFields(document).sizeBytes, /^VolumeCreate\/sizeBytes is gone$/],
  [
    'a field has to be sent',
    ({ components }) => {
      components.schemas.VolumeCreate.required = [...(components.schemas.VolumeCreate.required ?? []), 'name'];
    },
    /^VolumeCreate\/name is required$/,
  ],
  [
    'less may be sent',
    (document) => {
      volumeFields(document).sizeBytes = { ...(volumeFields(document).sizeBytes as object), maximum: 1024 };
    },
    /^VolumeCreate\/sizeBytes: maximum was .*, is 1024$/,
  ],
  ['a field that is told goes', ({ components }) => delete components.schemas.Volume.properties.sizeBytes, /^Volume\/sizeBytes is gone$/],
  [
    'a field that is told may be missing',
    ({ components }) => {
      const { required } = components.schemas.Volume;
      components.schemas.Volume.required = required.filter((field: string) => field !== 'sizeBytes');
    },
    /^Volume\/sizeBytes may be missing$/,
  ],
  [
    'a field is of another type',
    ({ components }) => {
      components.schemas.Volume.properties.description = { type: 'integer' };
    },
    /^Volume\/description: type was "string", is "integer"$/,
  ],
  ['an answer goes', ({ paths }) => delete paths['/v1/volumes'].post.responses['202'], /^volumes\.create answers no 202 any more$/],
  ['a parameter goes', ({ paths }) => paths['/v1/volumes'].get.parameters.shift(), /^volumes\.list takes no .* any more$/],
];

const ADDITIONS: readonly (readonly [what: string, Change])[] = [
  [
    'a route comes',
    ({ paths }) => {
      paths['/v1/more'] = { get: { operationId: 'more.get', responses: {} } };
    },
  ],
  [
    'more may be sent',
    (document) => {
      volumeFields(document).color = { type: 'string' };
    },
  ],
  [
    'more is told',
    ({ components }) => {
      components.schemas.Volume.properties.color = { type: 'string' };
      components.schemas.Volume.required.push('color');
    },
  ],
  ['what had to be sent may be left out', ({ components }) => delete components.schemas.ZoneCreate.required],
];

/** Of volumes and zones alone. */
function part(): ApiDocument {
  const { paths, components } = read(CURRENT);
  return {
    components,
    paths: Object.fromEntries(Object.entries(paths as ApiDocument['paths']).filter(([path]) => /^\/v1\/(volumes|zones)\b/.test(path))),
  };
}

const changed = (change: Change): readonly string[] => {
  const now = part();
  change(now);
  return breaks(part(), now);
};

describe('The document of the API', () => {
  for (const [what, change, told] of BREAKING)
    it(`breaks clients where ${what}`, () => {
      const found = changed(change);
      expect(found, found.join('\n')).to.have.length(1);
      expect(found[0]).to.match(told);
    });

  for (const [what, change] of ADDITIONS) it(`breaks nobody where ${what}`, () => expect(changed(change)).to.deep.equal([]));

  it('takes nothing away that a release had', () => {
    const now = read(CURRENT) as ApiDocument;
    expect(breaks(now, now)).to.deep.equal([]);
    for (const file of existsSync(RELEASES) ? readdirSync(RELEASES) : [])
      expect(breaks(read(new URL(file, RELEASES)), now), file).to.deep.equal([]);
  });
});
