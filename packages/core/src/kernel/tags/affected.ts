import { type Static, Type } from 'typebox';
import { readPermission, visibleRows } from '../access.ts';
import type { Endpoint } from '../endpoint.ts';
import type { JsonObject } from '../json.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import type { Condition, Store } from '../store.ts';
import { operates, systemTag } from './system-tag.ts';
import type { SystemTagPorts } from './system-tagging.ts';

const SHOWN = 100;

const QUERY = Type.Object({
  tag: Type.String({ maxLength: 127 }),
  resourceId: Type.Optional(Type.String({ format: 'uuid', description: 'As if it were on this resource. Default: those that have it.' })),
  allProjects: Type.Optional(Type.Boolean({ description: 'Of every project, for the operator.' })),
});

const ANSWER = Type.Object({
  tag: Type.String(),
  affects: Type.Array(
    Type.Object({
      kind: Type.String(),
      count: Type.Integer({ minimum: 0 }),
      items: Type.Array(Type.Object({ id: Type.String({ format: 'uuid' }), name: Type.String() }), { description: `The first ${SHOWN}.` }),
    }),
    { description: 'Of each kind that it steers, and that the caller may read, what he sees.' },
  ),
});

const KNOWN = Type.Object({
  items: Type.Array(
    Type.Object({
      name: Type.String(),
      description: Type.String(),
      kinds: Type.Array(Type.String(), { description: 'Of what it may be put on.' }),
      value: Type.Unsafe<JsonObject>({ type: 'object', description: 'JSON schema of its value.' }),
      many: Type.Boolean({ description: 'Several values at once.' }),
      lifecycle: Type.Union([Type.Literal('resource'), Type.Literal('ephemeral')]),
      adminOnly: Type.Boolean(),
      secret: Type.Boolean(),
    }),
  ),
});

/** What system tags there are, and who they affect. */
export const systemTagEndpoints = (ports: SystemTagPorts, store: Store): readonly Endpoint[] => [
  {
    type: 'value',
    method: 'GET',
    path: '/system-tags/known',
    summary: 'The system tags that there are, with what they take.',
    permission: readPermission(systemTag),
    answer: KNOWN,
    handle: async ({ principal }) => ({
      items: ports
        .systemTags()
        .known(operates(principal))
        .map(({ name, description, kinds, value, many, lifecycle = 'resource', adminOnly, secret }) => ({
          ...{ name, description, kinds, value, lifecycle },
          ...{ many: many === true, adminOnly: adminOnly === true, secret: secret === true },
        })),
    }),
  },
  {
    type: 'value',
    method: 'GET',
    path: '/system-tags/affected',
    summary: 'What a system tag affects, or would affect if it were on the resource named.',
    permission: readPermission(systemTag),
    query: QUERY,
    answer: ANSWER,
    handle: async ({ principal, query }) => {
      const { tag: name, resourceId, allProjects = false } = query as Static<typeof QUERY>;
      const tag = ports.systemTags().get(name, { operates: operates(principal) });
      const tagged = visibleRows(systemTag, principal, undefined, { allProjects });
      const where: Condition = { and: [{ field: 'tag', op: '=', value: name }, ...(tagged === undefined ? [] : [tagged])] };
      const affects = [];
      for (const { kind: kindName, by } of tag.affects ?? tag.kinds.map((kind) => ({ kind, by: 'id' }))) {
        const kind = ports.taggable(kindName);
        if (kind === undefined || !principal.allows(readPermission(kind))) continue;
        const on: Condition =
          resourceId === undefined
            ? { exists: { table: systemTag.name, local: by, remote: 'resourceId', where } }
            : { field: by, op: '=', value: resourceId };
        affects.push(await seen(store, kind, { and: [on, ...visibleParts(visibleRows(kind, principal, undefined, { allProjects }))] }));
      }
      return { tag: name, affects };
    },
  },
];

const visibleParts = (condition: Condition | undefined): readonly Condition[] => (condition === undefined ? [] : [condition]);

async function seen(store: Store, kind: AnyKind, where: Condition) {
  const texts = await store.list({ table: kind.name, where, limit: SHOWN });
  const count = texts.length < SHOWN ? texts.length : await store.count({ table: kind.name, where });
  return {
    kind: kind.name as string,
    count,
    items: texts.map((text) => JSON.parse(text) as RowBase).map(({ id, name }) => ({ id, name })),
  };
}
