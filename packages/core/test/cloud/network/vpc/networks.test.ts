import { expect } from 'chai';
import { network, nic, subnet } from '../../../../src/cloud/index.ts';
import { equals } from '../../../../src/kernel/index.ts';
import { MachineStage } from '../../compute/machine-stage.ts';
import { codeOf } from '../../little-cloud.ts';

const cidr = (text: string, more: object = {}) => ({ subnets: [{ cidr: text, ...more }] });
const SHARED = 'simulated-shared';

async function stageWithVpc(hosts = 1) {
  const stage = await MachineStage.with({ hosts, network: false });
  const vpcId = await stage.sim.done('vpc.create', { name: 'vpc-1' });
  const networkIn = (of: string, more: object) => stage.sim.done('network.create', { vpcId: of, ...more });
  const port = async (nicId: string) => {
    const row = await stage.row(nic, nicId);
    return stage.sim.world.fabric.networks.get(row.networkId)?.ports.get(nicId);
  };
  return { stage, vpcId, networkIn, port };
}

describe('networks of a VPC', () => {
  it('are made by its driver, with all that their subnets tell to guests', async () => {
    const { stage, vpcId, networkIn } = await stageWithVpc();
    const hostRoutes = [{ destination: '172.16.0.0/12', nextHop: '10.0.0.9' }];
    const id = await networkIn(vpcId, {
      mtuBytes: 1400,
      subnets: [
        { name: 'four', cidr: '10.0.0.0/24', hostRoutes },
        { name: 'six', cidr: 'fd00::/64', ipv6Mode: 'slaac', gateway: 'FD00::00aa', dnsServers: ['2001:DB8::1'] },
      ],
    });
    expect(await stage.row(network, id)).to.include({ mode: 'routed', driver: SHARED, scope: 'zone', vpcId, mtuBytes: 1400 });
    const [four, six] = await stage.rows(subnet);
    const { spec } = stage.sim.world.fabric.networks.get(id) ?? {};
    expect(spec).to.deep.include({ mode: 'routed', vpcId, mtuBytes: 1400 });
    expect(spec?.subnets).to.deep.equal([
      { id: four?.id, cidr: '10.0.0.0/24', gateway: '10.0.0.1', dnsServers: ['10.0.0.2'], serviceAddress: '10.0.0.2', hostRoutes },
      {
        ...{ id: six?.id, cidr: 'fd00::/64', gateway: 'fd00::aa', dnsServers: ['2001:db8::1'] },
        ...{ serviceAddress: 'fd00::ab', ipv6Mode: 'slaac' },
      },
    ]);
  });

  it('keep a change of one subnet while another of them is deleted', async () => {
    const { stage, vpcId, networkIn } = await stageWithVpc();
    const { sim } = stage;
    const id = await networkIn(vpcId, { subnets: [{ cidr: '10.0.0.0/24' }, { cidr: '10.0.1.0/24' }] });
    const [goes, stays] = await stage.rows(subnet);
    const asked = [
      await sim.submit('subnet.update', { dnsServers: ['192.0.2.4'] }, stays?.id),
      await sim.submit('subnet.delete', {}, goes?.id),
    ];
    for (const { operationId } of asked) expect((await sim.ended(operationId)).state).to.equal('succeeded');
    const { spec } = sim.world.fabric.networks.get(id) ?? {};
    expect(spec?.subnets.map(({ dnsServers }) => dnsServers)).to.deep.equal([['192.0.2.4']]);
  });

  it('are refused with the field at fault, and nothing changes', async () => {
    const { stage, vpcId } = await stageWithVpc();
    const within = { vpcId, ...cidr('10.0.0.0/24') };
    const route = (destination: string, nextHop: string) => cidr('10.0.0.0/24', { hostRoutes: [{ destination, nextHop }] });
    for (const [input, code, pointer] of [
      [{ ...within, mode: 'nat' }, 'invalid_input', '/mode'],
      [{ ...within, driver: 'simulated' }, 'invalid_input', '/driver'],
      [{ ...within, hostId: stage.hostIds[0] }, 'invalid_input', '/hostId'],
      [{ ...within, vlanId: 7 }, 'invalid_input', '/vlanId'],
      [{ ...within, mtuBytes: 1000 }, 'invalid_input', '/mtuBytes'],
      [{ ...within, mtuBytes: 1443 }, 'invalid_input', '/mtuBytes'],
      [{ ...within, domain: 'shop..internal' }, 'invalid_input', '/domain'],
      [{ ...within, domain: '-shop.internal' }, 'invalid_input', '/domain'],
      [{ ...within, vpcId: '00000000-0000-7000-8000-00000000dead' }, 'not_found', '/vpcId'],
      [{ ...cidr('10.0.0.0/24'), mode: 'routed' }, 'invalid_input', '/vpcId'],
      [{ ...cidr('10.0.0.0/24'), mode: 'provider' }, 'invalid_input', '/physicalNetworkId'],
      [{ ...cidr('10.0.0.0/24'), mtuBytes: 1400 }, 'invalid_input', '/mtuBytes'],
      [{ ...cidr('fd00::/64', { ipv6Mode: 'slaac' }) }, 'unsupported', '/subnets/0/ipv6Mode'],
      [{ ...route('172.16.0.0/12', '10.0.0.9') }, 'unsupported', '/subnets/0/hostRoutes'],
      [{ vpcId, ...cidr('10.0.0.0/30') }, 'invalid_input', '/subnets/0/cidr'],
      [{ vpcId, ...cidr('10.0.0.0/24', { gateway: 'fd00::1' }) }, 'invalid_input', '/subnets/0/gateway'],
      [{ vpcId, ...cidr('fd00::/64', { gateway: '10.0.0.1' }) }, 'invalid_input', '/subnets/0/gateway'],
      [{ vpcId, ...cidr('10.0.0.0/24', { ipv6Mode: 'slaac' }) }, 'invalid_input', '/subnets/0/ipv6Mode'],
      [{ vpcId, ...cidr('fd00::/56', { ipv6Mode: 'slaac' }) }, 'invalid_input', '/subnets/0/ipv6Mode'],
      [{ vpcId, ...route('172.16.0.1/12', '10.0.0.9') }, 'invalid_input', '/subnets/0/hostRoutes/0/destination'],
      [{ vpcId, ...route('fd00::/64', '10.0.0.9') }, 'invalid_input', '/subnets/0/hostRoutes/0/destination'],
      [{ vpcId, ...route('172.16.0.0/12', '10.0.1.9') }, 'invalid_input', '/subnets/0/hostRoutes/0/nextHop'],
      [{ vpcId, ...route('172.16.0.0/12', 'fd00::1') }, 'invalid_input', '/subnets/0/hostRoutes/0/nextHop'],
      [{ vpcId, subnets: [{ cidr: '10.0.0.0/16' }, { cidr: '10.0.4.0/24' }] }, 'invalid_input', '/subnets/1/cidr'],
    ] as const) {
      const error = await stage.refusal('network.create', input);
      expect([error.code, error.pointer], JSON.stringify(input)).to.deep.equal([code, pointer]);
    }
    for (const domain of ['shop..internal', 'shop-.internal', `${'x'.repeat(64)}.internal`])
      expect((await stage.refusal('vpc.create', { domain })).pointer).to.equal('/domain');
  });

  it('never have overlapping subnets, whichever network they are on; those of another VPC may', async () => {
    const { stage, vpcId, networkIn } = await stageWithVpc();
    const otherVpcId = await stage.sim.done('vpc.create', { name: 'vpc-2' });
    const first = await networkIn(vpcId, cidr('10.0.0.0/16'));
    await networkIn(otherVpcId, cidr('10.0.0.0/16'));
    const overlapping = await stage.refusal('network.create', { vpcId, subnets: [{ cidr: '10.9.0.0/24' }, { cidr: '10.0.7.0/24' }] });
    expect([overlapping.code, overlapping.pointer]).to.deep.equal(['invalid_input', '/subnets/1/cidr']);
    const second = await networkIn(vpcId, cidr('10.9.0.0/24'));
    expect((await stage.refusal('subnet.create', { networkId: second, cidr: '10.0.7.0/24' })).pointer).to.equal('/cidr');
    const { kernel, principal, environment } = stage.sim;
    const ask = (action: string, input: object) => codeOf(kernel.submit({ action, input, principal }));
    const codes = await environment.complete(
      Promise.all([
        ask('subnet.create', { networkId: first, cidr: '10.20.0.0/16' }),
        ask('subnet.create', { networkId: second, cidr: '10.20.1.0/24' }),
        ask('network.create', { vpcId, ...cidr('10.20.2.0/23') }),
        ask('network.create', { vpcId, ...cidr('10.21.0.0/24') }),
      ]),
    );
    // One of all, or the two that lie within the third, and the one that is apart.
    const made = codes.filter((code) => code === 'succeeded').length;
    expect(codes[3]).to.equal('succeeded');
    expect(made).to.equal(codes[0] === 'succeeded' ? 2 : 3);
    expect(codes.filter((code) => code === 'invalid_input')).to.have.length(4 - made);
  });

  it('are made side by side, as are their subnets and the routes beside them, however many are asked for at once', async () => {
    const { stage, vpcId, networkIn } = await stageWithVpc();
    const networkId = await networkIn(vpcId, cidr('10.0.0.0/24'));
    const { kernel, principal, environment } = stage.sim;
    const asked = Array.from({ length: 5 }, (_, index) => [
      ['network.create', { vpcId, subnets: [{ cidr: `10.1.${index}.0/24` }] }] as const,
      ['subnet.create', { networkId, cidr: `10.2.${index}.0/24` }] as const,
      ['route.create', { vpcId, destination: `172.16.${index}.0/24` }] as const,
    ]).flat();
    const codes = await environment.complete(
      Promise.all(asked.map(([action, input]) => codeOf(kernel.submit({ action, input, principal })))),
    );
    expect(codes).to.deep.equal(asked.map(() => 'succeeded'));
  });

  it('are not added to while they are made', async () => {
    const { stage, vpcId } = await stageWithVpc();
    const { kernel, principal, environment } = stage.sim;
    const input = { name: 'late', vpcId, ...cidr('10.0.0.0/24') };
    const { resourceId } = await environment.complete(kernel.submit({ action: 'network.create', input, principal }));
    const error = await stage.refusal('subnet.create', { networkId: resourceId, cidr: '10.0.1.0/24' });
    expect([error.code, error.pointer, error.publicMessage]).to.deep.equal(['conflict', '/networkId', 'Network late is creating.']);
  });

  it('keep the VPC until they are gone', async () => {
    const { stage, vpcId, networkIn } = await stageWithVpc();
    const id = await networkIn(vpcId, cidr('10.0.0.0/24'));
    expect((await stage.refusal('vpc.delete', {}, vpcId)).code).to.equal('in_use');
    await stage.sim.done('vpc.delete', { recursive: true }, vpcId);
    expect((await stage.row(network, id)).state).to.equal('deleted');
    expect([...stage.sim.world.fabric.kept.of('vpcs')]).to.deep.equal([]);
  });
});

describe('NICs in a VPC', () => {
  it('have two addresses, more to send from, and are pinned to the host of their machine', async () => {
    const { stage, vpcId, networkIn, port } = await stageWithVpc(2);
    await networkIn(vpcId, {
      subnets: [
        { name: 'four', cidr: '10.0.0.0/24' },
        { name: 'six', cidr: 'fd00::/64' },
      ],
    });
    const [four, six] = await stage.rows(subnet);
    const allowedAddresses = [{ cidr: '10.0.0.200/32' }, { cidr: '10.1.0.0/16', mac: '00:00:5e:00:01:07' }];
    const nics = [{ subnetId: four?.id, ipv6SubnetId: six?.id, ipv6Address: 'FD00::0077', allowedAddresses }];
    const id = await stage.machine({ nics, hostId: stage.hostIds[1] });
    const [row] = await stage.nics(id);
    expect(row).to.deep.include({ address: '10.0.0.4', ipv6SubnetId: six?.id, ipv6Address: 'fd00::77', allowedAddresses });
    const addresses = ['10.0.0.4', 'fd00::77'];
    expect(await port(row?.id ?? '')).to.deep.include({ addresses, subnetIds: [four?.id, six?.id], allowedAddresses, vpcId, host: 'hv2' });
    const further = await stage.sim.done('instance.attachNic', { subnetId: six?.id }, id);
    expect(further).to.equal(id);
    expect((await stage.nics(id))[1]?.address).to.equal('fd00::78');
    await stage.into('deleted', id);
    expect(stage.sim.world.fabric.networks.get(row?.networkId ?? '')?.ports.size).to.equal(0);
  });

  it('get the address that is asked for in whichever subnet of the network has it', async () => {
    const { stage, vpcId, networkIn } = await stageWithVpc();
    const networkId = await networkIn(vpcId, { subnets: ['10.0.0.0/24', '10.0.1.0/24', 'fd00::/64'].map((each) => ({ cidr: each })) });
    const subnets = await stage.rows(subnet);
    const nics = ['10.0.1.9', 'fd00::9', undefined].map((address) => ({ networkId, ...(address === undefined ? {} : { address }) }));
    const rows = await stage.nics(await stage.machine({ nics }));
    expect(rows.map(({ address }) => address)).to.deep.equal(['10.0.1.9', 'fd00::9', '10.0.0.4']);
    expect(rows.map(({ subnetId }) => subnetId)).to.deep.equal([subnets[1]?.id, subnets[2]?.id, subnets[0]?.id]);
    for (const [address, message] of [
      ['10.7.0.9', 'The address lies outside of 10.0.0.1 to 10.0.0.254.'],
      ['fd07::9', 'An IPv4 address is meant here; fd07::9 is IPv6.'],
      ['somewhere', 'This is no IP address.'],
    ]) {
      const error = await stage.refusal('instance.create', stage.input({ nics: [{ networkId, address }] }));
      expect([error.code, error.pointer, error.publicMessage]).to.deep.equal(['invalid_input', '/nics/0/address', message]);
    }
  });

  it('are told the address that guests make of their MAC where these do that by themselves', async () => {
    const { stage, vpcId, networkIn } = await stageWithVpc();
    const networkId = await networkIn(vpcId, cidr('fd00::/64', { ipv6Mode: 'slaac' }));
    const [row] = await stage.nics(await stage.machine({ nics: [{ networkId }] }));
    const [, , , a = '', b = '', c = ''] = row?.mac.split(':') ?? [];
    const groups = [`ff:fe${a}`, `${b}${c}`].map((part) => part.split(':').at(-1) ?? '');
    const hex = (part: string) => Number.parseInt(part, 16).toString(16);
    expect(row?.address).to.equal(`fd00::5054:ff:${groups.map(hex).join(':')}`);
    const error = await stage.refusal('instance.create', stage.input({ nics: [{ networkId, address: 'fd00::9' }] }));
    expect([error.code, error.pointer]).to.deep.equal(['invalid_input', '/nics/0/address']);
  });

  it('never share an address, be it the first of one and the second of another', async () => {
    const { stage, vpcId, networkIn } = await stageWithVpc();
    const networkId = await networkIn(vpcId, {
      subnets: [
        { name: 'four', cidr: '10.0.0.0/24' },
        { name: 'six', cidr: 'fd00::/125' },
      ],
    });
    const [four, six] = await stage.rows(subnet);
    const { kernel, principal, environment } = stage.sim;
    const second = { subnetId: four?.id, ipv6SubnetId: six?.id };
    const nics = [{ subnetId: six?.id }, second, { subnetId: six?.id }, second];
    const wishes = nics.map((entry) => stage.input({ nics: [entry], start: false }));
    const codes = await environment.complete(
      Promise.all(wishes.map((input) => codeOf(kernel.submit({ action: 'instance.create', input, principal })))),
    );
    expect(codes).to.deep.equal(['succeeded', 'succeeded', 'succeeded', 'succeeded']);
    await stage.sim.run(5000);
    const rows = await environment.complete(kernel.reader.list(nic, equals('networkId', networkId)));
    const addresses = rows.map(({ address, ipv6Address }) => ipv6Address ?? address);
    expect(new Set(addresses).size).to.equal(4);
    // Of eight addresses two are nobody's, one is the gateway's and one where the cloud answers.
    expect((await stage.refusal('instance.create', stage.input({ nics: [{ subnetId: six?.id }] }))).code).to.equal('no_capacity');
    const taken = { nics: [{ subnetId: four?.id, ipv6SubnetId: six?.id, ipv6Address: addresses[0] }] };
    const error = await stage.refusal('instance.create', stage.input(taken));
    expect([error.code, error.pointer]).to.deep.equal(['name_taken', '/nics/0/ipv6Address']);
  });

  it('are refused with the field at fault', async () => {
    const { stage, vpcId, networkIn } = await stageWithVpc();
    await networkIn(vpcId, {
      subnets: [
        { name: 'four', cidr: '10.0.0.0/24' },
        { name: 'six', cidr: 'fd00::/64' },
      ],
    });
    const plainId = await stage.network();
    const [four, six] = await stage.rows(subnet);
    const on = { subnetId: four?.id };
    for (const [entry, code, pointer] of [
      [{ ...on, address: '10.0.0.2' }, 'invalid_input', '/nics/0/address'],
      [{ ...on, address: 'fd00::9' }, 'invalid_input', '/nics/0/address'],
      [{ ...on, ipv6Address: 'fd00::9' }, 'invalid_input', '/nics/0/ipv6SubnetId'],
      [{ ...on, ipv6SubnetId: four?.id }, 'invalid_input', '/nics/0/ipv6SubnetId'],
      [{ subnetId: six?.id, ipv6SubnetId: six?.id }, 'invalid_input', '/nics/0/ipv6SubnetId'],
      [{ networkId: plainId, ipv6SubnetId: six?.id }, 'not_found', '/nics/0/ipv6SubnetId'],
      [{ ...on, ipv6SubnetId: six?.id, ipv6Address: '10.0.0.7' }, 'invalid_input', '/nics/0/ipv6Address'],
      [{ ...on, ipv6SubnetId: six?.id, ipv6Address: 'fd00::2' }, 'invalid_input', '/nics/0/ipv6Address'],
      [{ ...on, allowedAddresses: [{ cidr: '10.0.0.9' }] }, 'invalid_input', '/nics/0/allowedAddresses/0/cidr'],
      [{ ...on, allowedAddresses: [{ cidr: '10.7.0.0/16' }, { cidr: '10.0.0.0/30' }] }, 'invalid_input', '/nics/0/allowedAddresses/1/cidr'],
      // Who had these would pass for the cloud: metadata, a router, and what asks machines for their health, which no filter stops.
      [{ ...on, allowedAddresses: [{ cidr: '169.254.0.0/16' }] }, 'invalid_input', '/nics/0/allowedAddresses/0/cidr'],
      [{ ...on, allowedAddresses: [{ cidr: 'fe80::1/128' }] }, 'invalid_input', '/nics/0/allowedAddresses/0/cidr'],
      [{ ...on, allowedAddresses: [{ cidr: 'fd00::1/128' }] }, 'invalid_input', '/nics/0/allowedAddresses/0/cidr'],
      [{ ...on, allowedAddresses: [{ cidr: '10.7.0.0/16', mac: '0a:11:22:33:44:55' }] }, 'invalid_input', '/nics/0/allowedAddresses/0/mac'],
      [{ ...on, allowedAddresses: [{ cidr: '10.7.0.0/16', mac: '52:54:00:33:44:55' }] }, 'invalid_input', '/nics/0/allowedAddresses/0/mac'],
      [{ ...on, allowedAddresses: [{ cidr: '10.7.0.0/16', mac: '01:00:5e:00:00:01' }] }, 'invalid_input', '/nics/0/allowedAddresses/0/mac'],
      [{ networkId: plainId, allowedAddresses: [{ cidr: '10.9.0.0/16' }] }, 'unsupported', '/nics/0/allowedAddresses'],
    ] as const) {
      const error = await stage.refusal('instance.create', stage.input({ nics: [entry] }));
      expect([error.code, error.pointer], JSON.stringify(entry)).to.deep.equal([code, pointer]);
    }
  });
});
