import type { Lab } from '../lab.ts';
import { chassisName, PHYSICAL_NETWORK } from './host-switch.ts';
import { EXTERNAL } from './internet.ts';
import { LabMachine } from './machine.ts';

/** A switch with addresses by DHCP, a router behind it, and a gateway to the external network on the first host. */
export async function makeNetwork({ ovn: { central } }: Lab): Promise<void> {
  const options = ['server_id=10.0.1.1', 'server_mac=02:00:00:00:01:01', 'lease_time=3600', 'router=10.0.1.1', 'mtu=1442'];
  const dhcp = (await central.nbctl('create', 'dhcp_options', 'cidr=10.0.1.0/24', ...options.map((option) => `options:${option}`))).trim();
  const words = [
    ['ls-add', 'web'],
    ['lr-add', 'r1'],
    ['lrp-add', 'r1', 'r1-web', '02:00:00:00:01:01', '10.0.1.1/24'],
    ['lsp-add', 'web', 'web-r1'],
    ['lsp-set-type', 'web-r1', 'router'],
    ['lsp-set-addresses', 'web-r1', 'router'],
    ['lsp-set-options', 'web-r1', 'router-port=r1-web'],
    ...[1, 2].flatMap((n) => [
      ['lsp-add', 'web', `w${n}`],
      ['lsp-set-addresses', `w${n}`, `02:00:00:00:01:1${n} 10.0.1.1${n}`],
      ['lsp-set-dhcpv4-options', `w${n}`, dhcp],
    ]),
    ['ls-add', 'public'],
    ['lsp-add', 'public', 'public-wire'],
    ['lsp-set-type', 'public-wire', 'localnet'],
    ['lsp-set-addresses', 'public-wire', 'unknown'],
    ['lsp-set-options', 'public-wire', `network_name=${PHYSICAL_NETWORK}`],
    ['lrp-add', 'r1', 'r1-public', '02:00:00:00:09:01', '192.0.2.10/24'],
    ['lsp-add', 'public', 'public-r1'],
    ['lsp-set-type', 'public-r1', 'router'],
    ['lsp-set-addresses', 'public-r1', 'router'],
    ['lsp-set-options', 'public-r1', 'router-port=r1-public'],
    ['lrp-set-gateway-chassis', 'r1-public', chassisName('hv1'), '20'],
    ['lr-route-add', 'r1', '0.0.0.0/0', EXTERNAL.gateway],
    ['lr-nat-add', 'r1', 'snat', '192.0.2.10', '10.0.1.0/24'],
  ];
  await central.nbctl(...words.flatMap((line) => ['--', ...line]));
}

export async function removeNetwork({ ovn: { central } }: Lab): Promise<void> {
  const dhcp = (await central.nbctl('--bare', '--columns=_uuid', 'list', 'dhcp_options')).split('\n').filter(Boolean);
  const words = [['ls-del', 'web'], ['ls-del', 'public'], ['lr-del', 'r1'], ...dhcp.map((uuid) => ['dhcp-options-del', uuid])];
  await central.nbctl(...words.flatMap((line) => ['--', ...line]));
  await central.settle();
}

/** The machine `wN` of that network. */
export const plug = (lab: Lab, host: number, n: number) =>
  LabMachine.plug(lab.host(host), { name: `w${n}`, mac: `02:00:00:00:01:1${n}`, plug: { interfaceId: `w${n}` } });
