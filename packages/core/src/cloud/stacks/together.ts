import { CloudError, type Json, type Reader, type RowBase } from '../../kernel/index.ts';
import { instance, newestType } from '../compute/contract.ts';
import { hostCounter, placementGroup } from '../placement/contract.ts';
import { host } from '../topology/contract.ts';
import type { Change, Plan } from './plan.ts';
import { placeOf } from './template.ts';

type Row = RowBase & Readonly<Record<string, unknown>>;

interface Size {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryBytes: number;
}

const RESOURCES = ['vcpus', 'memoryBytes'] as const;
const TOLD: Readonly<Record<(typeof RESOURCES)[number], string>> = { vcpus: 'processors', memoryBytes: 'memory' };

/**
 * What a whole set of new machines cannot have, however it is placed. Each of them is placed when its part is accepted, for what it depends on may not be there before; but more than
 * all hosts have together has no place anywhere, nor have more machines that keep apart than there are hosts. Those that wait for room are not counted: they may.
 */
export async function togetherBlockers(reader: Reader, plan: Plan): Promise<readonly CloudError[]> {
  const made = plan.changes.filter(
    ({ type, verb, properties }) => type.kind === instance && (verb === 'create' || verb === 'replace') && properties.whenFull !== 'wait',
  );
  if (made.length === 0) return [];
  const hosts = (await reader.list(host)).filter(
    ({ state, status, roles }) => state === 'enabled' && status === 'connected' && roles.includes('compute'),
  );
  return [...(await beyondAll(reader, made, hosts)), ...(await beyondHosts(reader, plan, made, hosts.length))];
}

async function beyondAll(reader: Reader, made: readonly Change[], hosts: readonly RowBase[]): Promise<readonly CloudError[]> {
  const sizes = (await Promise.all(made.map((change) => sizeOf(reader, change)))).filter((size) => size !== undefined);
  if (sizes.length === 0) return [];
  const ids = new Set(hosts.flatMap(({ id }) => RESOURCES.map((resource) => hostCounter(id, resource))));
  const free = { vcpus: 0, memoryBytes: 0 };
  for (const { key, value, limit } of await reader.counters('capacity/host/'))
    for (const resource of RESOURCES)
      if (ids.has(key) && key.endsWith(`/${resource}`))
        free[resource] += limit === null ? Number.POSITIVE_INFINITY : Math.max(0, limit - value);
  const short = RESOURCES.filter((resource) => sizes.reduce((sum, size) => sum + size[resource], 0) > free[resource]);
  const names = sizes.map(({ name }) => name);
  return short.length === 0
    ? []
    : [
        new CloudError(
          'no_capacity',
          `All hosts together have too little ${short.map((each) => TOLD[each]).join(' and ')} for the machines of the stack.`,
          {
            pointer: '/resources',
            params: { resources: names },
          },
        ),
      ];
}

/** Undefined where the template leaves it to something that is not there yet. */
async function sizeOf(reader: Reader, { name, properties }: Change): Promise<Size | undefined> {
  const type = typeof properties.instanceType === 'string' ? await newestType(reader, properties.instanceType) : undefined;
  return type === undefined ? undefined : { name, vcpus: type.vcpus, memoryBytes: type.memoryBytes };
}

/** Of groups that keep apart strictly, those of the template and those that are there. */
async function beyondHosts(reader: Reader, plan: Plan, made: readonly Change[], hosts: number): Promise<readonly CloudError[]> {
  const members = new Map<string, string[]>();
  for (const { name, properties } of made) {
    const group = properties.placementGroupId;
    if (typeof group === 'string') members.set(group, [...(members.get(group) ?? []), name]);
  }
  const blockers: CloudError[] = [];
  for (const [id, names] of members) {
    if (names.length <= hosts || (await policyOf(reader, plan, id)) !== 'antiAffinity') continue;
    blockers.push(
      new CloudError('no_capacity', `The ${names.length} machines of a placement group keep apart, and there are not so many hosts.`, {
        pointer: placeOf(names[0] ?? ''),
        params: { resources: names },
      }),
    );
  }
  return blockers;
}

async function policyOf(reader: Reader, { changes, ids }: Plan, id: string): Promise<Json | undefined> {
  const made = changes.find(({ name, type }) => type.kind === placementGroup && ids[name] === id);
  if (made !== undefined) return made.properties.policy;
  const row = (await reader.find(placementGroup, id)) as Row | undefined;
  return row?.policy as Json | undefined;
}
