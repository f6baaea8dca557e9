import { Type } from 'typebox';
import {
  both,
  CloudError,
  change,
  create,
  defineAction,
  defineDeletion,
  equals,
  expectState,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  resourceName,
  saga,
  transition,
} from '../../../kernel/index.ts';
import { instance } from '../../compute/contract.ts';
import { given, nameOr } from '../../naming.ts';
import { formatAddress, parseAddress } from '../cidr.ts';
import { ensureKept, type KeptParams, keptCreation, keptRemoval } from '../kept.ts';
import type { NetworkContext } from '../network-context.ts';
import { invalid } from '../refusal.ts';
import { ownVpc } from '../vpc/own-vpc.ts';
import { vpc } from '../vpc/vpc.ts';
import { dnsRecord } from './dns-record.ts';
import { keptDnsRecord } from './dns-record-kept.ts';

const { properties } = dnsRecord.schema;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

const recordCreation = keptCreation(keptDnsRecord);

export const createDnsRecord = (context: () => NetworkContext) =>
  defineAction({
    kind: dnsRecord,
    verb: 'create',
    description: "Gives addresses a name in the VPC's domain.",
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      vpcId: properties.vpcId,
      hostname: properties.hostname,
      addresses: properties.addresses,
    }),
    accept: async ({ id, input, projectId, principal, reader }) => {
      const parent = await ownVpc(reader, input.vpcId, principal);
      const label = labelsWithin(input.hostname, parent.domain);
      const addresses = canonical(input.addresses);
      (await context().fabrics.of(parent)).keeper('dnsRecords');
      await refuseMachine(reader, parent.id, label);
      const row = { id, projectId, vpcId: parent.id, hostname: input.hostname, addresses, name: nameOr(input.name, dnsRecord, id) };
      return { params: { id } satisfies KeptParams, statements: [expectState(vpc, parent.id, ['available']), create(dnsRecord, row)] };
    },
    saga: recordCreation,
    context,
    unwound: ({ id }) => [transition(dnsRecord, id as Id<'dnsRecord'>, { from: 'creating', to: 'deleted' })],
  });

/** What stands before the domain. @throws CloudError invalid_input */
function labelsWithin(hostname: string, domain: string): string {
  const pointer = '/hostname';
  if (!hostname.endsWith(`.${domain}`)) throw invalid(pointer, `The name is not within the VPC's domain: it has to end with .${domain}.`);
  const before = hostname.slice(0, -domain.length - 1);
  if (before.split('.').every((label) => LABEL.test(label))) return before;
  throw invalid(pointer, 'Each part of the name has 1 to 63 letters, digits and inner hyphens.');
}

/** @throws CloudError invalid_input */
function canonical(addresses: readonly string[]): string[] {
  const texts = addresses.map((text, index) => {
    const address = parseAddress(text);
    if (address === undefined) throw invalid(`/addresses/${index}`, 'This is no IP address.');
    return formatAddress(address.family, address.value);
  });
  const twice = texts.findIndex((text, index) => texts.indexOf(text) < index);
  if (twice >= 0) throw invalid(`/addresses/${twice}`, 'It is given twice.');
  return texts;
}

/** A machine answers to its own name. @throws CloudError name_taken */
async function refuseMachine(reader: Reader, vpcId: string, label: string): Promise<void> {
  const inVpc = { exists: { table: 'network', local: 'networkId', remote: 'id', where: equals('vpcId', vpcId) } };
  const plugged = { exists: { table: 'nic', local: 'id', remote: 'instanceId', where: inVpc } };
  const [machine] = await reader.list(instance, both(equals('hostname', label), plugged), { limit: 1 });
  if (machine === undefined) return;
  throw new CloudError('name_taken', 'A machine of the VPC has this host name.', {
    pointer: '/hostname',
    params: { field: 'hostname', kind: instance.name },
  });
}

interface UpdateParams extends KeptParams {
  readonly name?: string;
  readonly addresses?: readonly string[];
}

const recordUpdate = saga<NetworkContext, UpdateParams>('dnsRecord.update', 1)
  .effect('realize', {
    do: async ({ ctx, params: { id, addresses }, call }) => {
      if (addresses === undefined) return;
      const row = await ctx.reader.get(dnsRecord, id);
      const spec = { id, vpcId: row.vpcId, name: row.hostname, addresses, owner: ctx.cloudId };
      await (await keptDnsRecord.fabric(ctx, row)).keeper('dnsRecords').ensure(spec, call);
    },
    undo: ({ ctx, params, call }) => ensureKept(keptDnsRecord, ctx, params.id, call),
  })
  .write('changed', {
    do: ({ params: { id, name, addresses } }) => [
      change(dnsRecord, id as Id<'dnsRecord'>, given({ name, addresses: addresses === undefined ? undefined : [...addresses] })),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const updateDnsRecord = (context: () => NetworkContext) =>
  defineAction({
    kind: dnsRecord,
    verb: 'update',
    description: 'Changes the addresses that a name stands for, or what the record is called.',
    target: 'resource',
    input: Type.Object({ name: Type.Optional(resourceName()), addresses: Type.Optional(properties.addresses) }),
    from: ['available'],
    accept: ({ id, input }) => {
      if (Object.keys(input).length === 0) throw invalid('', 'Nothing to change was given.');
      const addresses = input.addresses === undefined ? undefined : canonical(input.addresses);
      return { params: given({ id, name: input.name, addresses }) as UpdateParams, statements: [] };
    },
    saga: recordUpdate,
    context,
  });

export const dnsRecordDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: dnsRecord,
    from: ['available'],
    remove: keptRemoval(keptDnsRecord),
    context,
    params: ({ id }: RowOf<typeof dnsRecord>): KeptParams => ({ id }),
  });
