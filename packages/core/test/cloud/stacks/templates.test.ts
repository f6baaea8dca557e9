import { assert } from 'chai';
import { isCloudError } from '../../../src/kernel/index.ts';
import { type SmallCloud, smallCloud } from '../small-cloud.ts';

const volume = (properties: object, more: object = {}) => ({ kind: 'volume', properties, ...more });

/** What is wrong, with what it is answered, and where. */
const WRONG: readonly (readonly [title: string, template: object, code: string, pointer: string, parameters?: object])[] = [
  ['an unknown kind', { resources: { a: { kind: 'teapot' } } }, 'invalid_input', '/template/resources/a/kind'],
  [
    'a kind of the operator',
    { resources: { a: { kind: 'zone', properties: { name: 'z' } } } },
    'invalid_input',
    '/template/resources/a/kind',
  ],
  ['a stack in a stack', { resources: { a: { kind: 'stack' } } }, 'invalid_input', '/template/resources/a/kind'],
  ['an unknown property', { resources: { a: volume({ sizeByte: 1 }) } }, 'invalid_input', '/template/resources/a/properties/sizeByte'],
  [
    'a property of the wrong type',
    { resources: { a: { kind: 'network', properties: { subnets: [{ cidr: 7 }] } } } },
    'invalid_input',
    '/template/resources/a/properties/subnets/0/cidr',
  ],
  ['what its kind refuses', { resources: { a: volume({}) } }, 'invalid_input', '/template/resources/a/properties/sizeBytes'],
  [
    'a reference to nothing',
    { resources: { a: volume({ sizeBytes: 512, imageId: { ref: 'b' } }) } },
    'invalid_input',
    '/template/resources/a/properties/imageId',
  ],
  [
    'a need of nothing',
    { resources: { a: volume({ sizeBytes: 512 }, { dependsOn: ['b'] }) } },
    'invalid_input',
    '/template/resources/a/dependsOn/0',
  ],
  [
    'a circle',
    { resources: { a: volume({ name: { ref: 'b.name' } }), b: volume({ name: { ref: 'a.name' } }) } },
    'invalid_input',
    '/template/resources/a',
  ],
  [
    'an undeclared parameter',
    { resources: { a: volume({ sizeBytes: { param: 'size' } }) } },
    'invalid_input',
    '/template/resources/a/properties/sizeBytes',
  ],
  ['a parameter that nobody declared', { resources: {} }, 'invalid_input', '/parameters/size', { size: 1 }],
  ['a parameter without a value', { parameters: { size: { type: 'integer' } }, resources: {} }, 'invalid_input', '/parameters/size'],
  [
    'a parameter of the wrong type',
    { parameters: { size: { type: 'integer' } }, resources: {} },
    'invalid_input',
    '/parameters/size',
    { size: 'large' },
  ],
  [
    'a secret default',
    { parameters: { key: { type: 'string', secret: true, default: 'x' } }, resources: {} },
    'invalid_input',
    '/template/parameters/key/default',
  ],
  [
    'a secret where it would be shown',
    { parameters: { key: { type: 'string', secret: true } }, resources: { a: volume({ sizeBytes: 512, description: { param: 'key' } }) } },
    'invalid_input',
    '/template/resources/a/properties/description',
    { key: 'x' },
  ],
  [
    'a secret by an open parameter',
    {
      parameters: { data: { type: 'string' } },
      resources: { a: { kind: 'instance', properties: { instanceType: 'small', imageId: 'image-1', userData: { param: 'data' } } } },
    },
    'invalid_input',
    '/template/resources/a/properties/userData',
    { data: 'x' },
  ],
  [
    'what is not there',
    { resources: { a: volume({ sizeBytes: 512, imageId: 'no-image' }) } },
    'not_found',
    '/template/resources/a/properties/imageId',
  ],
  [
    'what is not there, beside what it makes itself',
    {
      resources: {
        disk: volume({ sizeBytes: 512 }),
        web: { kind: 'instance', properties: { instanceType: 'teapot', imageId: 'image-1', attachVolumeIds: [{ ref: 'disk' }] } },
      },
    },
    'not_found',
    '/template/resources/web/properties/instanceType',
  ],
  ['an output of nothing', { resources: {}, outputs: { a: { ref: 'b' } } }, 'invalid_input', '/template/outputs/a'],
];

describe('a template', () => {
  let at: SmallCloud;
  before(async () => {
    at = await smallCloud();
  });
  after(() => at.sim.dispose());

  for (const [title, template, code, pointer, parameters = {}] of WRONG)
    it(`that has ${title} is refused where that is, planned or applied`, async () => {
      const before = await at.sim.residue();
      for (const ask of [
        () => at.sim.environment.complete(at.sim.call('POST', '/stacks/plan', { body: { name: 's', template, parameters } })),
        () => at.sim.submit('stack.create', { name: 's', template, parameters }),
      ]) {
        const refused = await ask().then(
          () => undefined,
          (error: unknown) => error,
        );
        assert.deepEqual(isCloudError(refused) ? [refused.code, refused.pointer] : refused, [code, pointer]);
      }
      assert.equal(await at.sim.residue(), before);
    });
});
