import { expect } from 'chai';
import { type TSchema, Type } from 'typebox';
import { DOMAIN } from '../../src/cloud/network/domain-name.ts';
import { isCloudError } from '../../src/kernel/errors.ts';
import { compileInput, inWords, oneOf, resourceName } from '../../src/kernel/index.ts';

const shape = Type.Object({
  name: Type.String({ minLength: 2, maxLength: 4, pattern: '^[a-z]*$' }),
  title: resourceName(),
  sizeBytes: Type.Integer({ minimum: 512, maximum: 4096, multipleOf: 512 }),
  share: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 }),
  isOn: Type.Boolean(),
  id: Type.String({ format: 'uuid' }),
  at: Type.String({ format: 'date-time' }),
  level: Type.Unsafe<string>({ type: 'string', enum: ['low', 'high'] }),
  with: Type.Union([Type.Literal('all'), Type.String({ format: 'uuid' })]),
  mode: Type.Union([Type.Literal('nat'), Type.Literal('isolated')]),
  note: Type.Union([Type.String(), Type.Null()]),
  list: Type.Array(Type.Object({ key: Type.String() }), { minItems: 1, maxItems: 2 }),
  map: Type.Record(Type.String(), Type.String(), { maxProperties: 1 }),
  parts: Type.Record(Type.String(), Type.Object({ kind: Type.String() })),
  tags: Type.Record(Type.String({ pattern: '^[a-z]+$' }), Type.String(), { additionalProperties: false }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  url: Type.String({ pattern: '^https://[^/?#]+$' }),
  domain: Type.String({ pattern: DOMAIN }),
});
const check = compileInput(Type.Partial(shape));

function refusalOf(input: object): string {
  try {
    check.assert(input);
  } catch (error) {
    if (isCloudError(error)) return `${error.pointer}: ${error.publicMessage}`;
    throw error;
  }
  return 'taken';
}

describe('validation', () => {
  const refused: readonly (readonly [input: object, text: string])[] = [
    [{ name: 7 }, '/name: The field /name must be a text.'],
    [{ tags: { 'a b': 'c' } }, '/tags/a b: The name a b in /tags must match the pattern ^[a-z]+$.'],
    [{ name: 'a' }, '/name: The field /name must have at least 2 characters.'],
    [{ name: 'abcde' }, '/name: The field /name must have at most 4 characters.'],
    [{ name: 'AB' }, '/name: The field /name must match the pattern ^[a-z]*$.'],
    [{ title: 'Web_1' }, '/title: The field /title must consist of lower-case letters, digits and inner hyphens, e.g. web-1.'],
    [{ sha256: '5A:0C' }, '/sha256: The field /sha256 must be a SHA-256: 64 hex digits in lower case, with nothing between them.'],
    [{ domain: 'not one' }, '/domain: The field /domain must be a domain in lower case, e.g. shop.internal.'],
    [{ url: 'https://hv1:7430/' }, '/url: The field /url must be like https://192.0.2.7:7430, with nothing behind the port.'],
    [{ sizeBytes: '1' }, '/sizeBytes: The field /sizeBytes must be a whole number.'],
    [{ sizeBytes: 0 }, '/sizeBytes: The field /sizeBytes must be at least 512.'],
    [{ sizeBytes: 8192 }, '/sizeBytes: The field /sizeBytes must be at most 4096.'],
    [{ sizeBytes: 513 }, '/sizeBytes: The field /sizeBytes must be a multiple of 512.'],
    [{ share: 0 }, '/share: The field /share must be more than 0.'],
    [{ share: 1 }, '/share: The field /share must be less than 1.'],
    [{ isOn: 'yes' }, '/isOn: The field /isOn must be true or false.'],
    [{ id: 'debian' }, '/id: The field /id must be a UUID.'],
    [{ at: 'tomorrow' }, '/at: The field /at must be a time like 2030-01-31T09:00:00Z.'],
    [{ level: 'loud' }, '/level: The field /level must be one of "low", "high".'],
    [{ with: 'some' }, '/with: The field /with must be "all", or be a UUID.'],
    [{ mode: 'bridged' }, '/mode: The field /mode must be one of "nat", "isolated".'],
    [{ list: [] }, '/list: The field /list must have at least 1 element.'],
    [{ list: {} }, '/list: The field /list must be a list.'],
    [{ map: { a: '', b: '' } }, '/map: The field /map must have at most 1 field.'],
    [{ list: [{ key: 'a', kex: 1 }] }, '/list/0/kex: There is no field /list/0/kex; there is key.'],
    [{ parts: { a: { kind: 'x', kin: 1 } } }, '/parts/a/kin: There is no field /parts/a/kin; there is kind.'],
    [{ list: [{}] }, '/list/0/key: The field /list/0/key is missing.'],
  ];
  for (const [input, text] of refused) it(`tells of ${JSON.stringify(input)} what would do`, () => expect(refusalOf(input)).to.equal(text));

  it('names the fields that there are', () => {
    expect(refusalOf({ sise: 1 })).to.equal(`/sise: There is no field /sise; there is ${Object.keys(shape.properties).join(', ')}.`);
    const choice: TSchema = Type.Union([Type.Object({ a: Type.Number() }), Type.Object({ b: Type.Number() })]);
    expect(() => compileInput(Type.Object({ choice })).assert({ choice: { a: 1, c: 2 } })).to.throw(
      /There is no field \/choice\/\w; there is a, b\./,
    );
  });

  it('knows what is said of one of a kind', () => {
    expect(['instance', 'volume', 'apiKey', 'user', 'image'].map(oneOf)).to.deep.equal([
      'an instance',
      'a volume',
      'an apiKey',
      'a user',
      'an image',
    ]);
  });

  it('knows how names of kinds and fields are written for people', () => {
    expect(['volume', 'elasticIp', 'natGateway', 'dnsRecord', 'securityGroupMember', 'peerVpc', 'nicId'].map(inWords)).to.deep.equal([
      'volume',
      'elastic IP',
      'NAT gateway',
      'DNS record',
      'security group member',
      'peer VPC',
      'NIC ID',
    ]);
  });
});
