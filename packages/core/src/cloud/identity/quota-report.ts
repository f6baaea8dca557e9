import { type Static, Type } from 'typebox';
import {
  CloudError,
  type Endpoint,
  isVisible,
  type KernelServices,
  lookUp,
  type Principal,
  type QuotaScope,
  quotaPrefix,
  type RowBase,
  readPermission,
} from '../../kernel/index.ts';
import { account } from './account.ts';
import { project } from './project.ts';
import { countersOf } from './quota-limits.ts';

const entry = Type.Object({
  scope: Type.Union([Type.Literal('project'), Type.Literal('account')], { description: 'An account uses what all of its projects use.' }),
  id: Type.String({ format: 'uuid', description: 'Of the project or account.' }),
  name: Type.String(),
  counter: Type.String({ description: 'e.g. `vcpus`' }),
  used: Type.Integer({ minimum: 0 }),
  limit: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { description: '`null` = none.' }),
});
const answer = Type.Object({ items: Type.Array(entry) });
type Entry = Static<typeof entry>;

const query = Type.Object({
  project: Type.Optional(Type.String({ maxLength: 63, description: 'Of this project, by id or name, alone.' })),
  account: Type.Optional(Type.String({ maxLength: 63, description: 'Of this account, by id or name, alone.' })),
});

/** What is used of each quota, and the limits. */
export function quotaEndpoints(services: KernelServices): readonly Endpoint[] {
  return [
    {
      type: 'value',
      method: 'GET',
      path: '/quota',
      summary: 'Answers what the project and its account use of each quota, and the limits.',
      permission: 'quota.read',
      scope: 'project',
      query,
      answer,
      handle: async ({ principal, query: asked }) => {
        const owners = await ownersAsked(services, principal, asked as Static<typeof query>);
        return { items: (await Promise.all(owners.map(({ scope, row }) => entries(services, scope, row)))).flat() };
      },
    },
  ];
}

interface Owner {
  readonly scope: QuotaScope;
  readonly row: RowBase;
}

/** @throws CloudError not_found */
async function ownersAsked({ reader }: KernelServices, principal: Principal, asked: Static<typeof query>): Promise<readonly Owner[]> {
  if (asked.project !== undefined && asked.account !== undefined)
    throw new CloudError('invalid_input', 'Ask for a project or for an account.', { params: { parameter: 'account' } });
  const of = async (scope: QuotaScope, named: string): Promise<Owner> => ({
    scope,
    row: (await lookUp(reader, scope === 'project' ? project : account, named, principal)).row,
  });
  if (asked.project !== undefined) return [await of('project', asked.project)];
  if (asked.account !== undefined) return [await of('account', asked.account)];
  const own = await of('project', principal.projectId);
  const whole = await reader.get(account, principal.accountId);
  // Who is let into one project alone learns nothing of the others.
  const seesAll = await isVisible(account, whole, principal, readPermission(account), reader);
  return seesAll ? [own, { scope: 'account', row: whole }] : [own];
}

async function entries({ reader, kernel }: KernelServices, scope: QuotaScope, { id, name }: RowBase): Promise<readonly Entry[]> {
  const prefix = quotaPrefix(scope, id);
  const known = new Map((await reader.counters(prefix)).map((counter) => [counter.key.slice(prefix.length), counter]));
  return countersOf(kernel, scope).map((counter) => {
    const { value = 0, limit = null } = known.get(counter) ?? {};
    return { scope, id, name, counter, used: value, limit };
  });
}
