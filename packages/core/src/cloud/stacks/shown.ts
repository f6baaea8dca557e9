import { type Static, Type } from 'typebox';
import { type CloudError, type Json, type JsonObject, type Problem, toErrorRecord, toProblem } from '../../kernel/index.ts';
import type { Forecast } from './forecast.ts';
import type { Change, FieldChange, Plan } from './plan.ts';

const fields = (description: string) => Type.Unsafe<Readonly<Record<string, FieldChange>>>({ type: 'object', description });
const VERBS = ['create', 'update', 'replace', 'delete', 'release', 'none'] as const;

/** A plan as callers read it. */
export const planAnswer = Type.Object({
  stackId: Type.Optional(Type.String({ format: 'uuid', description: 'Absent where there is no such stack yet.' })),
  revisionNumber: Type.Integer({ minimum: 0, description: 'Of what was applied last.' }),
  nothingToDo: Type.Boolean({ description: 'All is as asked already: an apply would succeed at once.' }),
  hash: Type.Optional(
    Type.String({ description: 'Given back as `planHash`, exactly this is done or nothing. Absent while something stands in the way.' }),
  ),
  changes: Type.Array(
    Type.Object({
      name: Type.String({ description: 'In the template.' }),
      action: Type.Unsafe<(typeof VERBS)[number]>({
        type: 'string',
        enum: [...VERBS],
        description: '`replace`: made anew, and the old one deleted. `release`: it stays, and is no longer of the stack.',
      }),
      resourceKind: Type.String(),
      resourceId: Type.Optional(Type.String({ format: 'uuid', description: 'Of the one there is.' })),
      fields: Type.Optional(
        fields('What changes, by field: `from` what it is, `to` what it will be. `{ "ref": … }` = known when it is done.'),
      ),
      drift: Type.Optional(fields('What was changed by hand since it was applied: `from` what was applied, `to` what it is.')),
    }),
    { description: 'In the order in which they are begun; what needs nothing of each other goes side by side.' },
  ),
  quota: Type.Array(
    Type.Object({
      scope: Type.Union([Type.Literal('project'), Type.Literal('account')]),
      counter: Type.String(),
      used: Type.Integer(),
      limit: Type.Union([Type.Integer(), Type.Null()], { description: '`null` = none.' }),
      by: Type.Integer({ description: 'What it would change by, as far as that can be known before.' }),
    }),
  ),
  blockers: Type.Array(Type.Unsafe<Problem>({ type: 'object', description: 'What stands in its way, as problems.' })),
});
export type ShownPlan = Static<typeof planAnswer>;

export function shownPlan(plan: Plan, { quota, blockers }: Forecast): ShownPlan {
  const minted = new Map(
    plan.changes.flatMap(({ name, verb }) => (verb === 'create' || verb === 'replace' ? [[plan.ids[name], name] as const] : [])),
  );
  return {
    ...(plan.stack === undefined ? {} : { stackId: plan.stack.id }),
    revisionNumber: plan.stack?.revisionNumber ?? 0,
    nothingToDo: plan.isNothing,
    ...(blockers.length > 0 ? {} : { hash: plan.hash }),
    changes: [...plan.changes, ...plan.leaving].map((change) => shownChange(change, minted)),
    quota: quota.map(({ scope, counter, used, limit, by }) => ({ scope, counter, used, limit, by })),
    blockers: blockers.map((error: CloudError) => toProblem(toErrorRecord(error))),
  };
}

function shownChange(
  { name, verb, type, current, fields: changed, drift }: Change,
  minted: ReadonlyMap<string | undefined, string>,
): ShownPlan['changes'][number] {
  const known = (value: Json): Json => nameNew(value, minted);
  const shown = (all: Change['fields']) => known(all as unknown as JsonObject) as unknown as Change['fields'];
  return {
    name,
    action: verb,
    resourceKind: type.kind.name as string,
    ...(current === undefined ? {} : { resourceId: current.row.id }),
    ...(Object.keys(changed).length === 0 ? {} : { fields: shown(changed) }),
    ...(Object.keys(drift).length === 0 ? {} : { drift }),
  };
}

/** An id that is minted for this plan alone tells nobody anything. */
function nameNew(value: Json, minted: ReadonlyMap<string | undefined, string>): Json {
  const name = typeof value === 'string' ? minted.get(value) : undefined;
  if (name !== undefined) return { ref: name };
  if (Array.isArray(value)) return value.map((item: Json) => nameNew(item, minted));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, nameNew(part, minted)]));
}
