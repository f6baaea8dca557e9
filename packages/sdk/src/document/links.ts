import { pascal, type Schema, type Schemas } from './schema.ts';

/**
 * Says of every field which kind its id is of. Rows say it themselves (`x-ref`); inputs follow the rule of names: a UUID in `imageId`, `attachVolumeIds`, `hostId`
 * is the id of an image, of volumes, of a host.
 */
export function linkSchemas(schemas: Schemas, kinds: readonly string[]): Schemas {
  // The longest first: `placementGroupId` is of a placement group, not of a group.
  const suffixes = kinds
    .map((kind) => ({ kind, plain: `${kind}Id`, suffix: `${pascal(kind)}Id` }))
    .sort((a, b) => b.plain.length - a.plain.length);
  const kindOf = (field: string): string | undefined => {
    const name = field.replace(/Ids$/, 'Id');
    return suffixes.find(({ plain, suffix }) => name === plain || name.endsWith(suffix))?.kind;
  };
  const link = (schema: Schema, field: string): Schema => {
    const kind = schema.format === 'uuid' && schema['x-ref'] === undefined ? kindOf(field) : undefined;
    return {
      ...schema,
      ...(kind === undefined ? {} : { 'x-ref': { kind } }),
      ...(schema.properties === undefined ? {} : { properties: linkAll(schema.properties) }),
      ...(typeof schema.items === 'object' ? { items: link(schema.items, field) } : {}),
      ...(schema.anyOf === undefined ? {} : { anyOf: schema.anyOf.map((choice) => link(choice, field)) }),
    };
  };
  const linkAll = (fields: Readonly<Record<string, Schema>>): Record<string, Schema> =>
    Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name, link(schema, name)]));
  return linkAll(schemas);
}
