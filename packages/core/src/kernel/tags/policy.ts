import { Type } from 'typebox';
import { type Action, defineAction } from '../action.ts';
import { oneOf } from '../article.ts';
import { type Deletion, defineDeletion } from '../cascade/deletion.ts';
import { CloudError } from '../errors.ts';
import { type AnyKind, defineKind, type RowBase, type RowOf, resourceName } from '../kind.ts';
import { equals, type Reader } from '../reader.ts';
import { create, transition } from '../rows.ts';
import { FORWARD_ONLY, saga } from '../saga/definition.ts';
import { updateAction } from '../update.ts';
import { type ChangeParams, changedBack, changeTags } from './change-saga.ts';
import { assertKeys, type TagPorts, type TagValues, tagGone, tagKey, tagValue } from './tag.ts';

const kindNames = (description: string) => Type.Array(Type.String({ maxLength: 63 }), { maxItems: 64, uniqueItems: true, description });

const rules = {
  kinds: kindNames('Kinds that it is about, e.g. `instance`.'),
  required: Type.Optional(
    Type.Boolean({ description: 'None of these kinds is made without the tag, and it is not taken away. Default: no.' }),
  ),
  values: Type.Optional(
    Type.Array(tagValue(), { minItems: 1, maxItems: 100, uniqueItems: true, description: 'Values that the tag may have. Default: any.' }),
  ),
  copyTo: Type.Optional(
    kindNames('Kinds of what is made along with the resource and goes with it, e.g. `volume` and `nic`: these get the tag, too.'),
  ),
};

export const tagPolicy = defineKind({
  name: 'tagPolicy',
  plural: 'tag-policies',
  description: 'What a project asks of a tag: where it must be, what it may say, and what it is copied to.',
  scope: 'project',
  schema: Type.Object({ key: tagKey(), ...rules }),
  states: { available: ['deleting'], deleting: ['deleted'] },
  initial: 'available',
  unique: [['projectId', 'key']],
});
export type TagPolicy = RowOf<typeof tagPolicy>;

const policyInput = Type.Object({ name: Type.Optional(resourceName()), key: tagKey(), ...rules });

export const policyActions = (ports: TagPorts): readonly Action[] => [
  defineAction<typeof tagPolicy, typeof policyInput, ChangeParams, null>({
    kind: tagPolicy,
    verb: 'create',
    description: 'Asks something of a tag, of all that is made in the project from now on.',
    target: 'collection',
    input: policyInput,
    accept: ({ id, input, projectId }) => {
      assertKeys([input.key], '');
      assertKinds(ports, input);
      const row = create(tagPolicy, { id, projectId, ...input, name: input.name ?? `tag-policy-${id.slice(-12)}` });
      return { params: { undo: [tagGone({ id, generation: 1 }, tagPolicy.name)] }, statements: [row] };
    },
    saga: changeTags,
    context: () => null,
    unwound: changedBack,
  }),
  updateAction(tagPolicy, Object.keys(rules), ({ input }) => assertKinds(ports, input as Pick<TagPolicy, 'kinds' | 'copyTo'>)),
];

const removePolicy = saga<null, { readonly id: string }>('tagPolicy.remove', 1)
  .write('deleted', {
    do: ({ params: { id } }) => [transition(tagPolicy, id as never, { from: 'deleting', to: 'deleted' })],
    undo: FORWARD_ONLY,
  })
  .build();

export const policyDeletion: Deletion = defineDeletion({
  kind: tagPolicy,
  from: ['available'],
  remove: removePolicy,
  context: () => null,
  params: ({ id }: RowBase) => ({ id }),
});

function assertKinds({ taggable }: TagPorts, { kinds = [], copyTo = [] }: Partial<Pick<TagPolicy, 'kinds' | 'copyTo'>>): void {
  for (const [field, names] of [['kinds', kinds] as const, ['copyTo', copyTo] as const])
    for (const [index, name] of (names ?? []).entries())
      if (taggable(name) === undefined)
        throw new CloudError('invalid_input', `No ${name} takes tags.`, { pointer: `/${field}/${index}`, params: { kind: name } });
}

export const policiesOf = (reader: Reader, projectId: string): Promise<readonly TagPolicy[]> =>
  reader.list(tagPolicy, { and: [equals('projectId', projectId), equals('state', 'available')] });

const refusedBy = (policy: TagPolicy, kind: AnyKind, message: string): CloudError =>
  new CloudError('refused', message, {
    pointer: `/tags/${policy.key}`,
    params: { plugin: 'tags', reason: 'tag_policy', policy: policy.name, key: policy.key, kind: kind.name as string },
  });

const about = (policies: readonly TagPolicy[], kind: AnyKind) => policies.filter(({ kinds }) => kinds.includes(kind.name));

/** @throws CloudError `refused` for a value that a policy does not know */
export function assertValues(policies: readonly TagPolicy[], kind: AnyKind, tags: TagValues): void {
  for (const policy of about(policies, kind)) {
    const value = tags[policy.key];
    if (value !== undefined && policy.values?.includes(value) === false)
      throw refusedBy(policy, kind, `The tag ${policy.key} of ${oneOf(kind.name)} is one of ${policy.values.join(', ')} here.`);
  }
}

/** @throws CloudError `refused` naming the tag that is missing */
export function assertRequired(policies: readonly TagPolicy[], kind: AnyKind, tags: TagValues): void {
  for (const policy of about(policies, kind))
    if (policy.required === true && tags[policy.key] === undefined)
      throw refusedBy(policy, kind, `No ${kind.name} is made here without the tag ${policy.key}.`);
}

/** @throws CloudError `refused` for a tag that must stay */
export function assertDetachable(policies: readonly TagPolicy[], kind: AnyKind, keys: readonly string[]): void {
  for (const policy of about(policies, kind))
    if (policy.required === true && keys.includes(policy.key))
      throw refusedBy(policy, kind, `Every ${kind.name} keeps the tag ${policy.key} here.`);
}
