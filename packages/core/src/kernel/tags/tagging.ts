import { type Static, Type } from 'typebox';
import { lacks, looksElsewhere, type Principal } from '../access.ts';
import { type AcceptRequest, type Action, defineAction } from '../action.ts';
import { CloudError } from '../errors.ts';
import type { Id } from '../id.ts';
import type { JsonObject } from '../json.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import { matches } from '../query/matches.ts';
import { change } from '../rows.ts';
import type { Statement } from '../store.ts';
import { type ChangeParams, changedBack, changeTags } from './change-saga.ts';
import { tagPermission } from './names.ts';
import { assertDetachable, assertValues, policiesOf } from './policy.ts';
import {
  assertKeys,
  isThere,
  newTag,
  resourceFields,
  resourcesToTag,
  TAGS_MAX,
  type Tag,
  type TagPorts,
  type TagValues,
  tag,
  tagGone,
  tagKey,
  tagProject,
  tagValues,
} from './tag.ts';

/** Resources of one request, and rows that it may change in all. */
const RESOURCES_MAX = 500;
const CHANGES_MAX = 1000;

const resources = {
  resourceKind: resourceFields.resourceKind,
  resourceIds: Type.Array(Type.String({ format: 'uuid' }), { minItems: 1, maxItems: RESOURCES_MAX, uniqueItems: true }),
};
const attachInput = Type.Object({ ...resources, tags: tagValues('Keys with their values; one that is there gets the new value.') });
const detachInput = Type.Object({
  ...resources,
  keys: Type.Array(tagKey(), { minItems: 1, maxItems: TAGS_MAX, uniqueItems: true, description: 'One that is not there is gone already.' }),
});

type Request<I> = Pick<AcceptRequest<typeof tag, I>, 'id' | 'input' | 'principal' | 'mint'>;

/** Statements with those that take them back. */
class Changes {
  readonly statements: Statement[] = [];
  readonly undo: Statement[] = [];

  add(statement: Statement, undo: Statement): void {
    this.statements.push(statement);
    this.undo.push(undo);
  }
}

/** Tags of many resources of one kind, all or none. */
export const tagActions = (ports: TagPorts): readonly Action[] => [
  defineAction<typeof tag, typeof attachInput, ChangeParams, null>({
    kind: tag,
    verb: 'attach',
    description: `Tags resources: up to ${RESOURCES_MAX} of one kind at once, all or none.`,
    target: 'collection',
    input: attachInput,
    accept: (request) => attach(ports, request),
    refused: (failure) => (failure.reason === 'exceeded' ? tooMany() : 'again'),
    saga: changeTags,
    context: () => null,
    unwound: changedBack,
  }),
  defineAction<typeof tag, typeof detachInput, ChangeParams, null>({
    kind: tag,
    verb: 'detach',
    description: `Takes tags from resources: up to ${RESOURCES_MAX} of one kind at once, all or none.`,
    target: 'collection',
    input: detachInput,
    accept: (request) => detach(ports, request),
    refused: () => 'again',
    saga: changeTags,
    context: () => null,
    unwound: changedBack,
  }),
];

async function attach(ports: TagPorts, request: Request<Static<typeof attachInput>>) {
  const { input, principal, id, mint } = request;
  const { tags } = input;
  const keys = Object.keys(tags);
  assertKeys(keys, '/tags');
  assertSize(input.resourceIds.length * keys.length);
  const { kind, rows } = await resourcesToTag(ports, input, principal);
  await assertStaysWithin(ports, { kind, rows, keys, tags }, principal);
  const present = await presentTags(ports, rows, keys);
  const changes = new Changes();
  let nextId: Id<'tag'> | undefined = id;
  for (const row of rows) {
    const projectId = tagProject(row, principal);
    assertValues(await policiesOf(ports.reader, projectId), kind, tags);
    changes.statements.push(isThere(kind, row));
    for (const [key, value] of Object.entries(tags)) {
      const there = present.get(placeOf(row.id, key, projectId));
      if (there?.value === value) continue;
      if (there !== undefined) {
        changes.add(change(tag, there.id, { value }, { value: there.value }), change(tag, there.id, { value: there.value }, { value }));
        continue;
      }
      const newId: Id<'tag'> = nextId ?? mint('tag');
      nextId = undefined;
      const about = { projectId, resourceKind: kind.name as string, resourceId: row.id };
      changes.add(newTag(newId, about, key, value), tagGone({ id: newId, generation: 1 }));
    }
  }
  return { params: { undo: changes.undo }, statements: changes.statements };
}

async function detach(ports: TagPorts, { input, principal, mint }: Request<Static<typeof detachInput>>) {
  const { keys } = input;
  assertSize(input.resourceIds.length * keys.length);
  const { kind, rows } = await resourcesToTag(ports, input, principal);
  await assertStaysWithin(ports, { kind, rows, keys, tags: {} }, principal);
  const present = await presentTags(ports, rows, keys);
  const changes = new Changes();
  for (const row of rows) {
    const projectId = tagProject(row, principal);
    assertDetachable(await policiesOf(ports.reader, projectId), kind, keys);
    for (const key of keys) {
      const there = present.get(placeOf(row.id, key, projectId));
      if (there === undefined) continue;
      const about = { projectId, resourceKind: kind.name as string, resourceId: row.id };
      changes.add(tagGone(there), newTag(mint('tag'), about, key, there.value));
    }
  }
  return { params: { undo: changes.undo }, statements: changes.statements };
}

interface Tagging {
  readonly kind: AnyKind;
  readonly rows: readonly RowBase[];
  /** Of those that are there. */
  readonly keys: readonly string[];
  /** What takes their place. */
  readonly tags: TagValues;
}

/** Where a role is for what is tagged so, nobody tags things out of his own reach. @throws CloudError `permission_denied` */
async function assertStaysWithin({ reader }: TagPorts, { kind, rows, keys, tags }: Tagging, principal: Principal): Promise<void> {
  const limit = principal.limits?.(tagPermission(kind));
  if (limit === undefined || looksElsewhere(limit).length === 0) return;
  const there = await reader.list(tag, { field: 'resourceId', op: 'in', value: rows.map(({ id }) => id) });
  for (const row of rows) {
    const left = there.filter(({ resourceId, key }) => resourceId === row.id && !keys.includes(key));
    const put = Object.entries(tags).map(([key, value]) => ({ resourceId: row.id, key, value }));
    const beside = [...left, ...put] as unknown as readonly JsonObject[];
    if (!matches(row as unknown as JsonObject, limit, (table) => (table === tag.name ? beside : [])))
      throw lacks(tagPermission(kind), principal, 'tags it so that your roles do not reach it');
  }
}

const placeOf = (resourceId: string, key: string, projectId: string): string => `${projectId}/${resourceId}/${key}`;

async function presentTags({ reader }: TagPorts, rows: readonly RowBase[], keys: readonly string[]): Promise<ReadonlyMap<string, Tag>> {
  const found = await reader.list(tag, {
    and: [
      { field: 'resourceId', op: 'in', value: rows.map(({ id }) => id) },
      { field: 'key', op: 'in', value: [...keys] },
    ],
  });
  return new Map(found.map((row) => [placeOf(row.resourceId, row.key, row.projectId ?? ''), row]));
}

function assertSize(changes: number): void {
  if (changes > CHANGES_MAX)
    throw new CloudError('too_large', `These are ${changes} tags; one request changes up to ${CHANGES_MAX}.`, {
      params: { limit: CHANGES_MAX },
    });
}

export const tooMany = (kind?: AnyKind): CloudError =>
  new CloudError('conflict', `A resource has up to ${TAGS_MAX} tags${kind === undefined ? '' : ` of kind ${kind.name}`}.`, {
    params: { limit: TAGS_MAX },
  });
