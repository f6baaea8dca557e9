import { type Static, Type } from 'typebox';
import { ref } from '../../../kernel/index.ts';
import { formatAddress, parseAddress } from '../cidr.ts';
import { invalid } from '../refusal.ts';
import type { Flow } from './firewall.ts';

const row = <K extends string>(kind: K, description: string) => Type.Optional(ref(kind, 'restrict', { description }));
const address = (description: string) => Type.Optional(Type.String({ maxLength: 45, description }));
const port = Type.Integer({ minimum: 1, maximum: 65_535, description: 'Of the destination; of tcp and udp.' });
const icmp = (description: string) => Type.Optional(Type.Integer({ minimum: 0, maximum: 255, description }));

export const reachQuestion = Type.Object({
  fromNicId: row('nic', 'Who asks for a connection: this NIC,'),
  fromAddress: address('or whoever has this address; one that is in no VPC is outside.'),
  toNicId: row('nic', 'Where to: this NIC,'),
  toAddress: address('or whoever has this address.'),
  vpcId: row('vpc', 'Where the addresses are. Default: the VPC of the NIC that is named.'),
  protocol: Type.Union([Type.Literal('tcp'), Type.Literal('udp'), Type.Literal('icmp')]),
  port: Type.Optional(port),
  icmpType: icmp('Default: that of an echo request (ping).'),
  icmpCode: icmp('Default: 0.'),
});

/** One end of a connection, as it was asked about. */
export interface AskedEnd {
  readonly nicId?: string;
  readonly address?: string;
  readonly pointer: string;
}
export interface Question {
  readonly from: AskedEnd;
  readonly to: AskedEnd;
  readonly vpcId?: string;
  /** By family: what a ping is differs. */
  readonly flow: (family: 4 | 6) => Flow;
}

const ECHO_REQUEST = { 4: 8, 6: 128 } as const;

/** @throws CloudError invalid_input with the field at fault */
export function questionOf(body: Static<typeof reachQuestion>): Question {
  const from = endOf('from', body.fromNicId, body.fromAddress);
  const to = endOf('to', body.toNicId, body.toAddress);
  if (from.nicId === undefined && to.nicId === undefined && body.vpcId === undefined)
    throw invalid('/vpcId', 'Of two addresses: say in which VPC they are.');
  if (from.nicId !== undefined && from.nicId === to.nicId) throw invalid(to.pointer, 'A NIC reaches itself without any network.');
  const families = [from, to].flatMap((end) => (end.address === undefined ? [] : [parseAddress(end.address)?.family]));
  if (new Set(families).size > 1) throw invalid(to.pointer, 'The two addresses are not of one family.');
  return { from, to, ...(body.vpcId === undefined ? {} : { vpcId: body.vpcId }), flow: flowOf(body) };
}

function endOf(which: 'from' | 'to', nicId: string | undefined, text: string | undefined): AskedEnd {
  const pointer = nicId === undefined ? `/${which}Address` : `/${which}NicId`;
  if ((nicId === undefined) === (text === undefined)) throw invalid(`/${which}NicId`, `Give either ${which}NicId or ${which}Address.`);
  if (text === undefined) return { pointer, ...(nicId === undefined ? {} : { nicId }) };
  const parsed = parseAddress(text);
  if (parsed === undefined) throw invalid(pointer, 'This is no IP address.');
  return { pointer, address: formatAddress(parsed.family, parsed.value) };
}

function flowOf({ protocol, port, icmpType, icmpCode }: Static<typeof reachQuestion>): Question['flow'] {
  if (protocol === 'icmp') {
    if (port !== undefined) throw invalid('/port', 'Only tcp and udp have ports.');
    return (family) => ({ protocol, icmp: { type: icmpType ?? ECHO_REQUEST[family], code: icmpCode ?? 0 } });
  }
  if (icmpType !== undefined) throw invalid('/icmpType', 'Only icmp has types.');
  if (icmpCode !== undefined) throw invalid('/icmpCode', 'Only icmp has codes.');
  if (port === undefined) throw invalid('/port', `A connection by ${protocol} goes to a port: give it.`);
  return () => ({ protocol, port });
}
