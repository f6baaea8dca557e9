import { type Static, Type } from 'typebox';
import { type Acceptance, type AcceptRequest, type Action, defineAction } from '../action.ts';
import { inWords } from '../article.ts';
import { CloudError } from '../errors.ts';
import { secret } from '../kind.ts';
import { both, equals } from '../reader.ts';
import { create } from '../rows.ts';
import { forgetSealed } from '../secrets.ts';
import type { Statement } from '../store.ts';
import { type ChangeParams, changedBack, changeTags } from './change-saga.ts';
import { asText, operates, SYSTEM_TAGS_MAX, type SystemTag, type SystemTagRow, type SystemTags, systemTag } from './system-tag.ts';
import { isThere, resourceFields, resourcesToTag, type TagPorts, tagGone, tagProject } from './tag.ts';

export interface SystemTagPorts extends TagPorts {
  readonly systemTags: () => SystemTags;
}

const target = { tag: Type.String({ maxLength: 127, description: 'E.g. `racks.only`.' }), ...resourceFields };
const token = Type.Optional(Type.String({ maxLength: 4096, description: 'As text, e.g. `rack-2`, `4` or `true`.' }));
const setInput = Type.Object({
  ...target,
  value: token,
  secretValue: Type.Optional(secret({ maxLength: 4096, description: 'In place of `value` where the tag is secret.' })),
});
const clearInput = Type.Object({ ...target, value: token });

type Request<I> = AcceptRequest<typeof systemTag, I>;

export const systemTagActions = (ports: SystemTagPorts): readonly Action[] => [
  defineAction<typeof systemTag, typeof setInput, ChangeParams, null>({
    kind: systemTag,
    verb: 'set',
    description: 'Puts a system tag on a resource. One that has a single value gets the new one.',
    target: 'collection',
    input: setInput,
    accept: async (request) => shownTo(ports, request.input.tag, await set(ports, request)),
    refused: (failure) =>
      failure.reason === 'exceeded'
        ? new CloudError('conflict', `A resource has up to ${SYSTEM_TAGS_MAX} system tags.`, { params: { limit: SYSTEM_TAGS_MAX } })
        : 'again',
    saga: changeTags,
    context: () => null,
    unwound: changedBack,
  }),
  defineAction<typeof systemTag, typeof clearInput, ChangeParams, null>({
    kind: systemTag,
    verb: 'clear',
    description: 'Takes a system tag from a resource: this value of it, or all.',
    target: 'collection',
    input: clearInput,
    accept: async (request) => shownTo(ports, request.input.tag, await clear(ports, request)),
    refused: () => 'again',
    saga: changeTags,
    context: () => null,
    unwound: changedBack,
  }),
];

/** What is asked for, as far as it is right. @throws CloudError */
async function looked(ports: SystemTagPorts, { input, principal }: Request<Static<typeof clearInput>>) {
  const tag = ports.systemTags().get(input.tag, { operates: operates(principal) });
  if (!tag.kinds.includes(input.resourceKind))
    throw new CloudError('invalid_input', `The system tag ${tag.name} is for ${tag.kinds.join(', ')}.`, {
      pointer: '/resourceKind',
      params: { tag: tag.name, kinds: [...tag.kinds] },
    });
  const ids = { resourceKind: input.resourceKind, resourceIds: [input.resourceId] };
  const { kind, rows } = await resourcesToTag(ports, ids, principal, '/resourceId');
  const [row] = rows;
  if (row === undefined) throw new CloudError('not_found', `No ${inWords(kind.name)} ${input.resourceId}.`, { pointer: '/resourceId' });
  const there = await ports.reader.list(systemTag, both(equals('resourceId', row.id), equals('tag', tag.name)));
  return { tag, kind, row, there };
}

/** Of a tag that the operator alone sees nobody else reads in the audit. */
function shownTo(ports: SystemTagPorts, name: string, acceptance: Acceptance<ChangeParams>): Acceptance<ChangeParams> {
  const { adminOnly } = ports.systemTags().get(name, { operates: true });
  return adminOnly === true ? { ...acceptance, forOperators: true } : acceptance;
}

async function set(ports: SystemTagPorts, request: Request<Static<typeof setInput>>) {
  const { tag, kind, row, there } = await looked(ports, request);
  const text = givenText(tag, request.input);
  const pointer = tag.secret === true ? '/secretValue' : '/value';
  const value = ports.systemTags().value(tag, text, pointer);
  const refusal = await tag.check?.(value as never, row, ports.reader);
  if (refusal !== undefined)
    throw new CloudError('refused', refusal.message ?? `The system tag ${tag.name} is not for this: ${refusal.reason}.`, {
      pointer,
      params: { tag: tag.name, reason: refusal.reason },
    });
  const token = tag.many === true ? `${tag.name}=${asText(value)}` : tag.name;
  const old = there.find((found) => found.token === token);
  if (old !== undefined && tag.secret !== true && old.value === asText(value))
    return { params: { undo: [] }, statements: [isThere(kind, row)] };
  const sealed = tag.secret === true ? await request.seal(text) : undefined;
  const made = create(systemTag, {
    id: request.id,
    name: request.id,
    projectId: tagProject(row, request.principal),
    resourceKind: kind.name,
    resourceId: row.id,
    tag: tag.name,
    token,
    adminOnly: tag.adminOnly === true,
    ...(sealed === undefined ? { value: asText(value) } : { secretValue: sealed.reference }),
    ...(typeof value === 'number' ? { number: value } : {}),
  });
  const statements = [
    isThere(kind, row),
    ...(old === undefined ? [] : gone(old)),
    ...(sealed === undefined ? [] : [sealed.statement]),
    made,
  ];
  return {
    params: { undo: [tagGone({ id: request.id, generation: 1 }, systemTag.name), ...(old === undefined ? [] : back(old, request))] },
    statements,
  };
}

async function clear(ports: SystemTagPorts, request: Request<Static<typeof clearInput>>) {
  const { there } = await looked(ports, request);
  const { value } = request.input;
  const going = value === undefined ? there : there.filter((row) => row.value === value);
  return { params: { undo: going.flatMap((row) => back(row, request)) }, statements: going.flatMap(gone) };
}

function givenText({ name, secret: isSecret }: SystemTag, { value, secretValue }: Static<typeof setInput>): string {
  const [given, other, field] = isSecret === true ? [secretValue, value, 'secretValue'] : [value, secretValue, 'value'];
  if (given === undefined || other !== undefined)
    throw new CloudError('invalid_input', `The system tag ${name} takes ${field}.`, { pointer: `/${field}`, params: { tag: name } });
  return given;
}

/** The secret behind it is forgotten with it. */
const gone = (row: SystemTagRow): readonly Statement[] => [
  tagGone(row, systemTag.name),
  ...(row.secretValue === undefined ? [] : [forgetSealed(row.secretValue)]),
];

/** As it was, but for a secret, which nobody has any more. */
function back(row: SystemTagRow, { mint }: Pick<Request<unknown>, 'mint'>): readonly Statement[] {
  const { projectId, resourceKind, resourceId, tag, token, value, number, secretValue, adminOnly } = row;
  if (secretValue !== undefined || value === undefined) return [];
  const id = mint('systemTag');
  const fields = { resourceKind, resourceId, tag, token, value, adminOnly, ...(number === undefined ? {} : { number }) };
  return [create(systemTag, { id, name: id, ...(projectId === undefined ? {} : { projectId }), ...fields })];
}
