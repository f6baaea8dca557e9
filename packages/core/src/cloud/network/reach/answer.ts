import { type Static, Type } from 'typebox';
import { CloudError, type Principal, type RowOf } from '../../../kernel/index.ts';
import { nic } from '../nic.ts';
import { invalid } from '../refusal.ts';
import { vpc } from '../vpc/vpc.ts';
import { addressLike, arriving, type Packet } from './ends.ts';
import { addressesOf, Facts, type FactsServices, familyOf, isIn, type Station } from './facts.ts';
import { type Hop, REASONS, type Reason, unknown } from './hop.ts';
import { inwards, inwardsTo } from './outside.ts';
import type { AskedEnd, Question } from './question.ts';
import { nextStep } from './router.ts';
import { walk } from './walk.ts';

const reason = Type.Unsafe<Reason>(
  Type.String({
    enum: Object.keys(REASONS),
    description: Object.entries(REASONS)
      .map(([name, meaning]) => `\`${name}\`: ${meaning}`)
      .join(' '),
  }),
);
const ids = Type.Record(Type.String(), Type.String(), { description: 'What it is about, by kind: e.g. `securityGroupRuleId`.' });
const hop = Type.Object({
  at: Type.String({ description: 'What it meets, e.g. `securityGroups`, `router`.' }),
  outcome: Type.Union([Type.Literal('passes'), Type.Literal('stops'), Type.Literal('unknown')]),
  reason: Type.Optional(reason),
  message: Type.String(),
  ids,
});
const end = Type.Object({
  address: Type.String(),
  nicId: Type.Optional(Type.String()),
  nicState: Type.Optional(Type.String()),
  instanceId: Type.Optional(Type.String()),
  instanceState: Type.Optional(Type.String()),
});

export const reachAnswer = Type.Object({
  verdict: Type.Union([Type.Literal('reachable'), Type.Literal('blocked'), Type.Literal('unknown')], {
    description: '`unknown`: nothing that the caller may know stops it, but not all of its way is the cloud’s, or his, to tell.',
  }),
  reason: Type.Optional(reason),
  message: Type.String({ description: 'What stops it, or that nothing does.' }),
  ids,
  from: end,
  to: end,
  hops: Type.Array(hop, { description: 'What it meets on its way, up to what stops it.' }),
});
export type ReachAnswer = Static<typeof reachAnswer>;

/** Why one end cannot reach the other, or that it can. @throws CloudError not_found, invalid_input with the field at fault */
export async function explainReach(services: FactsServices, principal: Principal, question: Question): Promise<ReachAnswer> {
  const facts = new Facts(services, principal);
  const named = { from: await namedEnd(facts, question.from), to: await namedEnd(facts, question.to) };
  const view = await viewpoint(facts, question, named.from, named.to);
  const found = {
    from: named.from ?? (await endAt(facts, view, question.from.address)),
    to: named.to ?? (await endAt(facts, view, question.to.address)),
  };
  const { from, to } = addresses(question, found);
  const hidden = [
    ...(found.from === undefined && (await isHidden(facts, view, from)) ? [from] : []),
    ...(found.to === undefined && (await isHidden(facts, view, to)) ? [to] : []),
  ];
  const packet: Packet = {
    from,
    to,
    hidden,
    flow: question.flow(familyOf(to)),
    ...(found.from === undefined ? {} : { sender: found.from }),
  };
  const hops: Hop[] = [];
  for await (const each of way(facts, view, packet, found)) {
    hops.push(each);
    if (each.outcome === 'stops') break;
  }
  return { ...verdictOf(hops, packet), from: endOf(from, found.from), to: endOf(to, found.to), hops: hops as ReachAnswer['hops'] };
}

type VpcRow = RowOf<typeof vpc>;

async function namedEnd(facts: Facts, { nicId, pointer }: AskedEnd): Promise<Station | undefined> {
  if (nicId === undefined) return undefined;
  const row = await facts.reader.find(nic, nicId);
  if (row === undefined || row.deletedAt !== undefined || !(await facts.seesNic(row)))
    throw new CloudError('not_found', `No nic ${nicId}.`, { pointer });
  return facts.station(row);
}

/** The VPC in which addresses are understood. */
async function viewpoint(facts: Facts, { vpcId: asked }: Question, from?: Station, to?: Station): Promise<VpcRow | undefined> {
  const vpcId = asked ?? from?.network.vpcId ?? to?.network.vpcId;
  if (vpcId === undefined) return undefined;
  const row = await facts.reader.find(vpc, vpcId);
  const isThere = row !== undefined && row.deletedAt === undefined;
  if (asked !== undefined && !(isThere && (await facts.sees(vpc, row))))
    throw new CloudError('not_found', `No vpc ${asked}.`, { pointer: '/vpcId' });
  return row;
}

/** Whoever of the caller's has the address, in the VPC or one that is peered with it. */
async function endAt(facts: Facts, view: VpcRow | undefined, address: string | undefined): Promise<Station | undefined> {
  if (view === undefined || address === undefined) return undefined;
  const step = await nextStep(facts, view, address);
  if (step.type !== 'subnet' && step.type !== 'peering') return undefined;
  const [holder, ...others] = await facts.holders(step.subnet, address);
  const isOne = holder !== undefined && others.length === 0;
  return isOne && (await facts.seesNic(holder)) ? facts.station(holder) : undefined;
}

/** Whether something of another tenant may be at the address, within the VPC. */
async function isHidden(facts: Facts, view: VpcRow | undefined, address: string): Promise<boolean> {
  const step = view === undefined ? undefined : await nextStep(facts, view, address);
  if (step?.type !== 'subnet') return false;
  const holders = await facts.holders(step.subnet, address);
  if (holders.length === 0) return !facts.owns(step.subnet);
  return (await Promise.all(holders.map((row) => facts.seesNic(row)))).includes(false);
}

/** Of both ends, of one family. @throws CloudError invalid_input */
function addresses({ from, to }: Question, found: Ends) {
  const own = from.address === undefined ? addressesOf((found.from as Station).nic) : [from.address];
  for (const address of own) {
    const other = to.address ?? (found.to === undefined ? undefined : addressLike(found.to, address));
    if (other !== undefined && familyOf(other) === familyOf(address)) return { from: address, to: other };
  }
  throw invalid(to.pointer, 'The two ends have no addresses of the same family.');
}

interface Ends {
  readonly from: Station | undefined;
  readonly to: Station | undefined;
}

async function* way(facts: Facts, view: VpcRow | undefined, packet: Packet, { from, to }: Ends): AsyncGenerator<Hop> {
  if (from !== undefined) yield* walk(facts, from, packet, to);
  else if (await isInside(facts, view, packet.from)) {
    const message = `What is at ${packet.from}, and what that may send, is not for the caller to know, or nobody has it.`;
    yield unknown('subnet', 'not_told', message);
    if (to !== undefined) yield* arriving(facts, to, packet);
  } else if (to !== undefined) yield* inwardsTo(facts, to, packet);
  else yield* inwards(facts, packet);
}

async function isInside(facts: Facts, view: VpcRow | undefined, address: string): Promise<boolean> {
  if (view === undefined) return false;
  const step = await nextStep(facts, view, address);
  return (step.type === 'subnet' || step.type === 'peering') && isIn(step.subnet.cidr, address);
}

function verdictOf(hops: readonly Hop[], { from, to }: Packet): Pick<ReachAnswer, 'verdict' | 'reason' | 'message' | 'ids'> {
  const last = hops.at(-1);
  const open = hops.find(({ outcome }) => outcome === 'unknown');
  const told = last?.outcome === 'stops' ? last : open;
  if (told === undefined) return { verdict: 'reachable', message: `Nothing stops it on its way from ${from} to ${to}.`, ids: {} };
  const { message, ids: about, reason: why } = told;
  return {
    verdict: told.outcome === 'stops' ? 'blocked' : 'unknown',
    message,
    ids: { ...about },
    ...(why === undefined ? {} : { reason: why }),
  };
}

const endOf = (address: string, station: Station | undefined): ReachAnswer['from'] =>
  station === undefined
    ? { address }
    : {
        ...{ address, nicId: station.nic.id, nicState: station.nic.state },
        ...{ instanceId: station.machine.id, instanceState: station.machine.state },
      };
