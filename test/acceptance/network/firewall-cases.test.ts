import { isIPv6 } from 'node:net';
import type { NetworkDriver, NetworkFactory, PortSpec } from '@pileus/core/strategy';
import { type Firewall, type FirewallGround, naiveVerdict, type Packet, randomFirewall, SimRandom } from '@pileus/core/testing';
import { ovn } from '@pileus/drivers-ovs/ovn';
import { expect } from 'chai';
import { routerMac } from '../../../packages/drivers-ovs/src/ovn/names.ts';
import { call, idOf, OWNER, portSpec, routedSpec, subnetSpec, vpcSpec } from '../../../packages/drivers-ovs/test/ovn/specs.ts';
import { run } from '../../../tools/system/command.ts';
import { ensureSystem } from '../../../tools/system/ensure.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { commit, FULL } from '../../../tools/test/slice.ts';
import { type Lab, labUp } from '../../lab/lab.ts';
import { LabMachine } from '../../lab/ovn/machine.ts';
import { until } from '../../lab/waiting.ts';

const PACKETS_EACH = 8;
/** Packets that are drawn for a firewall, to choose from. */
const DRAWN = 300;
const PACKET_CASES = 40;
const TRACE_CASES = FULL ? 200 : 64;
/** What is dropped brings no answer: after so long there was none. */
const DROPPED_MS = 1_500;
/** Other firewalls with each commit; `PILEUS_SEED` plays those of a failure again. */
const SEED = Number(process.env.PILEUS_SEED ?? Number.parseInt(commit.slice(0, 7), 16)) || 1;
const PORTS = [1, 22, 80, 443, 8080, 65_535];

const NICS = [
  { name: 'a', network: 'left', addresses: ['10.0.0.10', 'fd00:0:0:1::10'] },
  { name: 'b', network: 'left', addresses: ['10.0.0.11', 'fd00:0:0:1::11'] },
  { name: 'c', network: 'right', addresses: ['10.0.1.10', 'fd00:0:0:2::10'] },
  { name: 'd', network: 'right', addresses: ['10.0.1.129'] },
] as const;
const GROUND: FirewallGround = {
  nics: NICS.map(({ name, addresses }) => ({ id: idOf(name), addresses })),
  outside: [],
  groupIds: ['group-1', 'group-2', 'group-3', 'group-4'].map(idOf),
};

/** Pings are the messages of ICMP that a machine sends without being somebody special. */
const canBeSent = ({ protocol, icmp, to }: Packet): boolean => protocol !== 'icmp' || icmp?.type === (isIPv6(to) ? 128 : 8);
const titleOf = ({ from, to, protocol, port, icmp }: Packet): string =>
  `${protocol} ${port ?? `${icmp?.type}/${icmp?.code}`} ${from} -> ${to}`;

describe(`security groups on OVN, at random (${SEED})`, function () {
  this.timeout(FULL ? 1_800_000 : 600_000);
  let lab: Lab;
  let driver: NetworkDriver;
  const machines = new Map<string, LabMachine>();
  const random = new SimRandom(SEED);
  const below = (limit: number) => random.below(limit);

  before(async () => {
    expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
    lab = await labUp({ hosts: 2, ovn: true, libvirt: false });
    const { northbound, southbound } = lab.ovn;
    const { strategies = {} } = ovn({ northbound: [{ kind: 'tcp', ...northbound }], southbound: [{ kind: 'tcp', ...southbound }] });
    const [factory] = strategies.network ?? [];
    driver = (factory as NetworkFactory).open({ writer: { cloudId: OWNER, epoch: 1 } });
    await makeNetworks();
    await Promise.all(NICS.map((_, index) => plug(index)));
  });
  after(async () => {
    await driver?.close();
    await lab?.down();
  });

  async function makeNetworks(): Promise<void> {
    await driver.vpcs?.ensure(vpcSpec('vpc'), call());
    for (const [index, name] of ['left', 'right'].entries()) {
      const [four, six] = [`10.0.${index}.0/24`, `fd00:0:0:${index + 1}::/64`];
      const subnets = [
        subnetSpec(`${name}-4`, four, { serviceAddress: `10.0.${index}.2` }),
        subnetSpec(`${name}-6`, six, { gateway: `fd00:0:0:${index + 1}::1`, serviceAddress: `fd00:0:0:${index + 1}::2` }),
      ];
      await driver.ensureNetwork(routedSpec(name, 'vpc', four, { subnets }), call());
    }
    await apply({
      groups: GROUND.groupIds.map((id) => ({ id, rules: [] })),
      nics: GROUND.nics.map((nic) => ({ ...nic, securityGroupIds: [] })),
    });
  }

  const specOf = (index: number, securityGroupIds: readonly string[]): PortSpec => {
    const { name, network, addresses } = NICS[index] as (typeof NICS)[number];
    const subnetIds = addresses.map((address) => idOf(`${network}-${isIPv6(address) ? 6 : 4}`));
    return portSpec(name, network, addresses[0], { addresses, subnetIds, securityGroupIds, vpcId: idOf('vpc') });
  };

  async function plug(index: number): Promise<void> {
    const { mac, nicId, addresses } = specOf(index, []);
    const { name } = NICS[index] as (typeof NICS)[number];
    const machine = await LabMachine.plug(lab.host(index % 2), { name, mac, plug: { interfaceId: nicId } });
    for (const address of addresses) {
      const router = isIPv6(address) ? address.replace(/::.*$/, '::1') : address.replace(/\d+$/, '1');
      await machine.take(`${address}/${isIPv6(address) ? 64 : 24}`, router);
    }
    const probe = await machine.probe();
    for (const port of PORTS) for (const protocol of ['tcp', 'udp'] as const) await probe.serve({ protocol, port });
    for (const address of addresses) machines.set(address, machine);
  }

  async function apply({ groups, nics }: Firewall): Promise<void> {
    // First who is in none: a group that is named by a rule must be there.
    for (const { id, rules } of groups)
      await driver.securityGroups?.ensure(
        { id, owner: OWNER, name: id, rules: rules.filter(({ remote }) => !('securityGroupId' in remote)) },
        call(),
      );
    for (const { id, rules } of groups) await driver.securityGroups?.ensure({ id, owner: OWNER, name: id, rules }, call());
    for (const [index, { securityGroupIds }] of nics.entries()) await driver.ensurePort(specOf(index, securityGroupIds), call());
    await lab.ovn.central.settle();
    await Promise.all(lab.hosts.map((host) => host.switch.forgotten()));
  }

  /** Firewalls, each with packets between machines. */
  function* cases(
    count: number,
    isWanted: (packet: Packet) => boolean,
  ): Generator<{ readonly firewall: Firewall; readonly packets: readonly Packet[] }> {
    for (let done = 0; done < count; done += PACKETS_EACH) {
      const { firewall } = randomFirewall(below, GROUND);
      const drawn = Array.from({ length: DRAWN }, () => randomFirewall(below, GROUND).packet).filter(isWanted);
      // Most packets would be dropped: as many are chosen that pass, if there are such.
      const passing = drawn.filter((packet) => naiveVerdict(firewall, packet).allowed).slice(0, PACKETS_EACH / 2);
      const packets = [...passing, ...drawn.filter((packet) => !passing.includes(packet))].slice(0, PACKETS_EACH);
      yield { firewall, packets };
    }
  }

  async function passes({ from, to, protocol, port = 0 }: Packet): Promise<boolean> {
    const machine = machines.get(from) as LabMachine;
    if (protocol === 'icmp') return machine.pings(to, 2);
    const greeted = await (await machine.probe()).greet({ protocol, address: to, port, from, timeoutMs: DROPPED_MS });
    return 'server' in greeted;
  }

  /** Whether it arrives. What may pass is sent again: a busy machine may be late with an answer, or lose it. */
  async function arrivesAs(packet: Packet, allowed: boolean): Promise<boolean> {
    if (!allowed) return passes(packet);
    const sent = async () => ((await passes(packet)) ? true : undefined);
    return until(titleOf(packet), sent).catch(() => false);
  }

  it('find all neighbours when all may pass', async () => {
    const all = GROUND.groupIds.slice(0, 1);
    const remote = (family: 4 | 6) => ({ cidrs: [family === 4 ? '0.0.0.0/0' : '::/0'] });
    const rules = ([4, 6] as const).flatMap((family) =>
      (['inbound', 'outbound'] as const).map((direction) => ({
        id: idOf(`${direction}${family}`),
        direction,
        family,
        remote: remote(family),
      })),
    );
    await apply({ groups: all.map((id) => ({ id, rules })), nics: GROUND.nics.map((nic) => ({ ...nic, securityGroupIds: all })) });
    for (const { addresses } of NICS)
      for (const from of addresses)
        for (const to of machines.keys()) {
          if (isIPv6(from) !== isIPv6(to) || from === to) continue;
          expect(await (machines.get(from) as LabMachine).pings(to), `${from} -> ${to}`).to.equal(true);
        }
  });

  it(`pass what an evaluator that looks at every rule says that passes, and nothing else, in ${PACKET_CASES} cases`, async () => {
    const tally = { passed: 0, dropped: 0 };
    for (const { firewall, packets } of cases(PACKET_CASES, canBeSent)) {
      await apply(firewall);
      const found = await Promise.all(
        packets.map(async (packet) => {
          const { allowed } = naiveVerdict(firewall, packet);
          return { packet, allowed, passed: await arrivesAs(packet, allowed) };
        }),
      );
      for (const { packet, allowed, passed } of found) {
        tally[allowed ? 'passed' : 'dropped'] += 1;
        expect(passed, `${titleOf(packet)}\n${JSON.stringify(firewall, undefined, 1)}`).to.equal(allowed);
      }
    }
    expect(tally.passed, 'packets that passed').to.be.greaterThan(3);
    expect(tally.dropped, 'packets that were dropped').to.be.greaterThan(3);
  });

  it(`are traced as that evaluator says, in ${TRACE_CASES} cases`, async () => {
    for (const { firewall, packets } of cases(TRACE_CASES, () => true)) {
      await apply(firewall);
      const traced = await Promise.all(packets.map(async (packet) => ({ packet, arrives: await arrives(packet) })));
      for (const { packet, arrives: passed } of traced)
        expect(passed, `${titleOf(packet)}\n${JSON.stringify(firewall, undefined, 1)}`).to.equal(naiveVerdict(firewall, packet).allowed);
    }
  });

  /** What OVN's own tracer says of the first packet of a connection. */
  async function arrives({ from, to, protocol, port = 0, icmp }: Packet): Promise<boolean> {
    const indexOf = (address: string) => NICS.findIndex(({ addresses }) => (addresses as readonly string[]).includes(address));
    const [sender, receiver] = [specOf(indexOf(from), []), specOf(indexOf(to), [])];
    const family = isIPv6(to) ? 6 : 4;
    const next = sender.networkId === receiver.networkId ? receiver.mac : routerMac(sender.networkId);
    const what =
      protocol === 'icmp'
        ? `icmp${family}.type == ${icmp?.type} && icmp${family}.code == ${icmp?.code}`
        : `${protocol}.dst == ${port} && ${protocol}.src == 40000`;
    const flow = `inport == "${sender.nicId}" && eth.src == ${sender.mac} && eth.dst == ${next} && ip${family}.src == ${from} && ip${family}.dst == ${to} && ip.ttl == 64 && ${what}`;
    const news = Array.from({ length: 8 }, () => '--ct=new');
    const trace = await run(['ovn-trace', `--db=${lab.ovn.central.southboundRemote}`, '--minimal', '--no-friendly-names', ...news, flow]);
    return trace.includes(`output("${receiver.nicId}")`);
  }
});
