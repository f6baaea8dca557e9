import { Type } from 'typebox';
import { type Endpoint, equals, type Plugin, type Principal, visibleRows } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { askedBefore, stackActions } from './actions.ts';
import { applyStack, changeResource, removeResource } from './apply.ts';
import { stackDeletions } from './deletion.ts';
import { forecast } from './forecast.ts';
import { Planner } from './plan.ts';
import { planAnswer, shownPlan } from './shown.ts';
import { type Stack, stack, stackResource, stackRevision } from './stack.ts';
import { invalid, parametersInput, type Template, templateInput } from './template.ts';

export { stack, stackResource, stackRevision } from './stack.ts';

const planInput = Type.Object({
  name: Type.Optional(
    Type.String({ maxLength: 63, description: 'Of the stack. Where there is none of this name, what creating it would do.' }),
  ),
  template: Type.Optional(templateInput),
  parameters: Type.Optional(parametersInput),
  revision: Type.Optional(Type.Integer({ minimum: 1, description: 'In place of a template: that of this revision.' })),
});
interface PlanRequest {
  readonly name?: string;
  readonly template?: Template;
  readonly parameters?: Record<string, never>;
  readonly revision?: number;
}

/** Declarative sets of resources. */
export const stacks = (services: CloudServices): Plugin => ({
  id: 'stacks',
  version: '0.1.0',
  kinds: [stack, stackRevision, stackResource],
  actions: stackActions(services),
  deletions: stackDeletions(services),
  sagas: [applyStack, changeResource, removeResource],
  endpoints: [planEndpoint(services)],
});

const planEndpoint = (services: CloudServices): Endpoint => ({
  type: 'value',
  method: 'POST',
  path: '/stacks/plan',
  summary: 'Answers what applying a template would do, field by field. Changes nothing.',
  permission: 'stack.read',
  body: planInput,
  answer: planAnswer,
  handle: async ({ principal, body }) => {
    const { name, template, parameters = {}, revision } = body as PlanRequest;
    const row = name === undefined ? undefined : await named(services, principal, name);
    if ((template === undefined) === (revision === undefined)) throw invalid('/template', 'Give a template or the number of a revision.');
    if (template === undefined && row === undefined) throw invalid('/revision', 'There is no such stack, hence no revision of it.');
    const asked = template === undefined ? await askedBefore(services, row?.id ?? '', revision ?? 0) : { template, parameters };
    const plan = await new Planner(services, principal, row, asked).plan();
    return shownPlan(plan, await forecast(services, principal, plan));
  },
});

/** The caller's stack of that name, or id. */
async function named({ reader }: CloudServices, principal: Principal, nameOrId: string): Promise<Stack | undefined> {
  const own = visibleRows(stack, principal);
  const asked = { or: [equals('name', nameOrId), equals('id', nameOrId)] };
  const [row]: readonly Stack[] = await reader.list(stack, own === undefined ? asked : { and: [own, asked] }, { limit: 1 });
  return row;
}
