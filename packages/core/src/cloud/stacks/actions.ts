import { Type } from 'typebox';
import {
  type Acceptance,
  type AcceptRequest,
  type AnyKind,
  CloudError,
  create,
  defineAction,
  equals,
  forgetSealed,
  type Id,
  type Json,
  type JsonObject,
  type RowOf,
  resourceName,
  revert,
  type Statement,
  transition,
  updateAction,
} from '../../kernel/index.ts';
import { nameOr } from '../naming.ts';
import type { CloudServices } from '../services.ts';
import { type ApplyParams, applyStack, releaseResources } from './apply.ts';
import { paramsOf } from './apply-params.ts';
import { forecast } from './forecast.ts';
import { type Asked, type Plan, Planner } from './plan.ts';
import { leftOver, reserving } from './reserved.ts';
import { SecretPlaces } from './secret-places.ts';
import { shownPlan } from './shown.ts';
import { type Stack, type StackResource, stack, stackResource, stackRevision } from './stack.ts';
import { parametersInput, templateInput } from './template.ts';

const planHash = Type.Optional(
  Type.String({
    pattern: '^[0-9a-f]{64}$',
    description: 'The `hash` of a plan: exactly that is done, or else nothing (`plan_changed`).',
  }),
);
const revision = Type.Integer({ minimum: 1, description: 'The number of a revision that is kept.' });

type Request = Pick<AcceptRequest<AnyKind, unknown>, 'principal' | 'projectId' | 'mint' | 'seal' | 'reader' | 'rehearses'> & {
  readonly id: Id<'stack'>;
};

interface Beginning {
  readonly from: 'creating' | 'updating';
  readonly planHash: string | undefined;
  readonly statement: Statement;
}

/** What an apply writes and starts. @throws CloudError with what stands in its way */
async function begun(
  services: CloudServices,
  request: Request,
  plan: Plan,
  { from, planHash: hash, statement }: Beginning,
): Promise<Acceptance<ApplyParams>> {
  if (hash !== undefined && hash !== plan.hash)
    throw new CloudError('plan_changed', 'The template would not do what was planned; plan it again.', { params: { plan: plan.hash } });
  const seen = await forecast(services, request.principal, plan);
  const [first] = seen.blockers;
  if (first !== undefined) throw first;
  const { references, statements } = await plan.secrets.sealed(request.seal);
  const params = await paramsOf(services, request, plan, { from, references, used: seen.used });
  // The row of the operation is written with each step: what a dry run shows in full is not kept there.
  const notes = request.rehearses ? { plan: shownPlan(plan, seen) as unknown as JsonObject } : { parts: partsOf(params) };
  return { params, statements: [...statements, statement, ...reserving(params)], notes };
}

const PARTS_SHOWN = 100;

/** By which operations it is done; of very many the first. */
const partsOf = ({ stages, last }: ApplyParams): Json =>
  [...stages, last]
    .flat()
    .flatMap(({ name, parts }) => parts.map(({ action, operationId }) => ({ name, action, operationId })))
    .slice(0, PARTS_SHOWN);

const forgotten = ({ revision: { secrets } }: ApplyParams): readonly Statement[] => Object.values(secrets).map(forgetSealed);

/** What was asked for once, with its secrets. @throws CloudError not_found where it is no longer kept */
export async function askedBefore({ reader, secrets }: CloudServices, stackId: string, number: number): Promise<Asked> {
  const where = { and: [equals('stackId', stackId), equals('number', number)] };
  const [row]: readonly RowOf<typeof stackRevision>[] = await reader.list(stackRevision, where);
  if (row === undefined) throw new CloudError('not_found', `No revision ${number} of this stack is kept.`, { pointer: '/revision' });
  const places = await SecretPlaces.opened(row.secrets, secrets);
  const template = places.intoTemplate(row.template);
  const declared = new Set(Object.keys(template.parameters ?? {}));
  const values = Object.entries(places.intoParameters(row.parameters)).filter(([name]) => declared.has(name));
  return { template, parameters: Object.fromEntries(values) };
}

const createInput = Type.Object({
  name: Type.Optional(resourceName()),
  template: templateInput,
  parameters: Type.Optional(parametersInput),
  planHash,
});

const createStack = (services: CloudServices) =>
  defineAction<typeof stack, typeof createInput, ApplyParams, CloudServices>({
    kind: stack,
    verb: 'create',
    description: 'Makes a stack with all resources of its template, or none of them.',
    target: 'collection',
    input: createInput,
    accept: async (request) => {
      const { id, input, projectId, principal } = request;
      const asked = { template: input.template, parameters: input.parameters ?? {} };
      const plan = await new Planner(services, principal, undefined, asked).plan();
      const row = create(stack, { id, projectId, name: nameOr(input.name, stack, id), revisionNumber: 0 });
      return begun(services, request, plan, { from: 'creating', planHash: input.planHash, statement: row });
    },
    saga: applyStack,
    context: () => services,
    unwound: async (params) => [
      transition(stack, params.stackId, { from: 'creating', to: 'deleted' }),
      ...forgotten(params),
      ...(await leftOver(services, params)),
    ],
    abandoned: (params) => leftOver(services, params),
  });

/** @throws CloudError conflict while something else is done to it: what is planned would not hold */
async function changed(
  services: CloudServices,
  request: Request & { readonly row: Stack },
  asked: Asked,
  hash: string | undefined,
): Promise<Acceptance<ApplyParams>> {
  const { id, row, principal } = request;
  if (row.state !== 'ready' || services.kernel().holds(id))
    throw new CloudError('conflict', `Something is being done to stack ${row.name}; wait for its end.`, { params: { state: row.state } });
  const plan = await new Planner(services, principal, row, asked).plan();
  const statement = transition(stack, id, { from: 'ready', to: 'updating', expect: { generation: row.generation } });
  if (plan.isNothing && (hash === undefined || hash === plan.hash)) return { params: {} as ApplyParams, statements: [], satisfied: true };
  return begun(services, request, plan, { from: 'updating', planHash: hash, statement });
}

const back = async (services: CloudServices, params: ApplyParams): Promise<readonly Statement[]> => [
  revert(stack, params.stackId, { from: 'updating', to: 'ready' }),
  ...forgotten(params),
  ...(await leftOver(services, params)),
];

const applyInput = Type.Object({ template: templateInput, parameters: Type.Optional(parametersInput), planHash });

const applyAction = (services: CloudServices) =>
  defineAction<typeof stack, typeof applyInput, ApplyParams, CloudServices>({
    kind: stack,
    verb: 'apply',
    description: 'Makes what the template says, and deletes what it no longer has; or changes nothing. What is so already is done at once.',
    target: 'resource',
    input: applyInput,
    // At the head of its queue its own acceptance has moved it on.
    from: ['ready', 'updating'],
    accept: (request) => {
      const { template, parameters = {}, planHash: hash } = request.input;
      return changed(services, request, { template, parameters }, hash);
    },
    saga: applyStack,
    context: () => services,
    unwound: (params) => back(services, params),
  });

const rollbackInput = Type.Object({ revision, planHash });

const rollbackAction = (services: CloudServices) =>
  defineAction<typeof stack, typeof rollbackInput, ApplyParams, CloudServices>({
    kind: stack,
    verb: 'rollback',
    description: 'Applies the template of an earlier revision again.',
    target: 'resource',
    input: rollbackInput,
    // At the head of its queue its own acceptance has moved it on.
    from: ['ready', 'updating'],
    accept: async (request) => {
      const { revision: number, planHash: hash } = request.input;
      return changed(services, request, await askedBefore(services, request.id, number), hash);
    },
    saga: applyStack,
    context: () => services,
    unwound: (params) => back(services, params),
  });

const releaseInput = Type.Object({
  resources: Type.Optional(
    Type.Array(Type.String({ maxLength: 63 }), {
      minItems: 1,
      uniqueItems: true,
      description: 'Their names in the template. Default: all.',
    }),
  ),
});

const releaseAction = (services: CloudServices) =>
  defineAction<typeof stack, typeof releaseInput, { readonly ids: readonly Id<'stackResource'>[] }, null>({
    kind: stack,
    verb: 'release',
    description:
      'Lets go of resources: they stay, and are no longer of the stack. What the template still has is made anew by the next apply.',
    target: 'resource',
    input: releaseInput,
    from: ['ready'],
    accept: async ({ id, input }) => {
      const rows: readonly StackResource[] = await services.reader.list(stackResource, equals('stackId', id));
      const known = new Set(rows.map(({ logicalName }) => logicalName));
      for (const [index, name] of (input.resources ?? []).entries())
        if (!known.has(name)) throw new CloudError('not_found', `This stack has no resource ${name}.`, { pointer: `/resources/${index}` });
      const released = rows.filter(({ logicalName }) => input.resources?.includes(logicalName) !== false);
      return { params: { ids: released.map((row) => row.id) }, statements: [] };
    },
    saga: releaseResources,
    context: () => null,
  });

export const stackActions = (services: CloudServices) => [
  createStack(services),
  applyAction(services),
  rollbackAction(services),
  releaseAction(services),
  updateAction(stack, []),
];
