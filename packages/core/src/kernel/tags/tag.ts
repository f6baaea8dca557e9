import { Type } from 'typebox';
import { isVisible, type Principal, readPermission } from '../access.ts';
import { inWords } from '../article.ts';
import { CloudError } from '../errors.ts';
import type { Id } from '../id.ts';
import { type AnyKind, defineKind, type RowBase, type RowOf } from '../kind.ts';
import type { Reader } from '../reader.ts';
import { create } from '../rows.ts';
import type { Statement } from '../store.ts';
import { TAG, tagPermission } from './names.ts';

/** Tags of one resource at most. */
export const TAGS_MAX = 50;

const KEY = '^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,126}$';
export const tagKey = (description = 'Letters, digits and `. _ : / @ -`, up to 127.') => Type.String({ pattern: KEY, description });
export const tagValue = (description = 'Up to 255 characters.') =>
  Type.String({ maxLength: 255, pattern: '^[^\\u0000-\\u001f\\u007f]*$', description });

export type TagValues = Readonly<Record<string, string>>;
export const tagValues = (description: string) =>
  Type.Record(Type.String({ pattern: KEY }), tagValue(), {
    minProperties: 1,
    maxProperties: TAGS_MAX,
    additionalProperties: false,
    description,
  });

/** The resource that a row is about. */
export const resourceFields = {
  resourceKind: Type.String({ maxLength: 63, description: 'E.g. `instance`.' }),
  resourceId: Type.String({ format: 'uuid' }),
};

export const tag = defineKind({
  name: TAG,
  plural: 'tags',
  description: 'A word about a resource, by which its owner finds and groups it: a key with a value. Goes with the resource.',
  scope: 'project',
  schema: Type.Object({ ...resourceFields, key: tagKey(), value: tagValue() }),
  attached: { max: TAGS_MAX },
  states: { available: ['deleted'] },
  initial: 'available',
  // The second also finds what has a tag, or a value of it.
  unique: [
    ['resourceId', 'key', 'projectId'],
    ['key', 'value', 'projectId', 'resourceId'],
  ],
  quota: { tags: 1 },
});
export type Tag = RowOf<typeof tag>;

const FIELDS: ReadonlySet<string> = new Set(Object.keys(tag.rowSchema.properties));

/** Queries could not tell the tag `name` from the name of a tag. @throws CloudError `invalid_input` */
export function assertKeys(keys: readonly string[], pointer: string): void {
  const taken = keys.find((key) => FIELDS.has(key));
  if (taken !== undefined)
    throw new CloudError('invalid_input', `No tag is called ${taken}: every resource, or tag, has a field of that name.`, {
      pointer: `${pointer}/${taken}`,
      params: { key: taken },
    });
}

/** What belongs to a project is tagged there; anything else where who tags it is at work. */
export const tagProject = ({ projectId }: Pick<RowBase, 'projectId'>, principal: Principal): Id<'project'> =>
  projectId ?? principal.projectId;

interface About {
  readonly projectId: Id<'project'>;
  readonly resourceKind: string;
  readonly resourceId: string;
}

export const newTag = (id: Id<typeof TAG>, about: About, key: string, value: string): Statement =>
  create(tag, { id, name: id, ...about, key, value });

export interface TagPorts {
  readonly reader: Reader;
  /** The kind of this name, if its rows take tags. */
  readonly taggable: (name: string) => AnyKind | undefined;
}

/**
 * Live rows of one kind that the caller may tag: those that he may see, are his own, and for which he has the permission `<kind>.tag`.
 * @throws CloudError `invalid_input`, `not_found`, `permission_denied`
 */
export async function resourcesToTag(
  { reader, taggable }: TagPorts,
  { resourceKind, resourceIds }: { readonly resourceKind: string; readonly resourceIds: readonly string[] },
  principal: Principal,
  only?: string,
): Promise<{ readonly kind: AnyKind; readonly rows: readonly RowBase[] }> {
  const kind = taggable(resourceKind);
  if (kind === undefined)
    throw new CloudError('invalid_input', `No ${resourceKind} takes tags.`, { pointer: '/resourceKind', params: { resourceKind } });
  const found = (await reader.list(kind, { field: 'id', op: 'in', value: [...resourceIds] })) as readonly RowBase[];
  const byId = new Map(found.map((row) => [row.id as string, row]));
  const rows: RowBase[] = [];
  for (const [index, id] of resourceIds.entries()) {
    const row = byId.get(id);
    const pointer = only ?? `/resourceIds/${index}`;
    if (row === undefined || !(await isVisible(kind, row, principal, readPermission(kind), reader)))
      throw new CloudError('not_found', `No ${inWords(kind.name)} ${id}.`, { pointer });
    // Of what is only shared with him the permission says nothing.
    if (!principal.allows(tagPermission(kind)) || !(await isVisible(kind, row, principal, tagPermission(kind), reader)))
      throw new CloudError('permission_denied', `This key lacks the permission ${tagPermission(kind)} for ${kind.name} ${row.name}.`, {
        pointer,
        params: { permission: tagPermission(kind) },
      });
    rows.push(row);
  }
  return { kind, rows };
}

/** Guards that the resource is still there. */
export const isThere = (kind: AnyKind, { id }: RowBase): Statement => ({
  op: 'expect',
  table: kind.name,
  key: id,
  expect: { deletedAt: null },
});

export const tagGone = ({ id, generation }: Pick<RowBase, 'id' | 'generation'>, table: string = TAG): Statement => ({
  op: 'update',
  table,
  key: id,
  set: { state: 'deleted', deletedAt: true },
  expect: { deletedAt: null, generation },
});
