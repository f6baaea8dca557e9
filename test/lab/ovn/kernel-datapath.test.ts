import type { NetworkDriver, PortSpec } from '@pileus/core/strategy';
import { ovn } from '@pileus/drivers-ovs/ovn';
import { expect } from 'chai';
import { call, groupSpec, idOf, portSpec, routedSpec, vpcSpec } from '../../../packages/drivers-ovs/test/ovn/specs.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { until } from '../waiting.ts';
import { KernelMachine } from './kernel-machine.ts';

const BLOB_BYTES = 4 * 2 ** 20;
const RATE_BYTES_PER_SECOND = 500_000;

if (FULL)
  describe('OVN on hosts that switch in the kernel', function () {
    this.timeout(600_000);
    let machine: KernelMachine;
    let driver: NetworkDriver;
    const shop = { vpcId: idOf('shop'), securityGroupIds: [idOf('web')] };
    const bound = { outboundBytesPerSecond: RATE_BYTES_PER_SECOND };
    const ports: readonly PortSpec[] = [
      portSpec('a', 'front', '10.0.1.11', { ...shop, ...bound, host: 'hv1' }),
      portSpec('b', 'back', '10.0.2.11', { ...shop, host: 'hv2' }),
    ];

    before(async () => {
      machine = await KernelMachine.start();
      const [factory] = ovn({ northbound: [machine.northbound], southbound: [machine.southbound] }).strategies?.network ?? [];
      driver = factory?.open({}) ?? expect.fail('no driver');
    });
    after(async () => {
      await driver?.close();
      await machine?.[Symbol.asyncDispose]();
    });

    const vsctl = (host: string, words: string) => machine.run(`ovs-vsctl --db=unix:/run/${host}/db.sock ${words}`);

    /** The sum of what somebody gets of a server: of nothing, where nobody answers in time. */
    const got = async (from: string, address: string, port: number, seconds = 120) => {
      const request = `printf 'GET /blob HTTP/1.0\\r\\n\\r\\n' | timeout ${seconds} /sbin/ip netns exec ${from} nc ${address} ${port}`;
      const said = await machine.run(`${request} | tail -c ${BLOB_BYTES} | md5sum`);
      // Before it or behind it the shell may say that it ended somebody.
      return said.split('\n').find((line) => /^[0-9a-f]{32} /.test(line));
    };

    it('are known as such: guests reckon nothing for them, and they bound by themselves what is sent', async () => {
      const hosts = await until('both hosts', async () => {
        const found = await driver.hosts?.list(call());
        return found?.length === 2 ? found : undefined;
      });
      expect(hosts.map(({ host, datapath }) => [host, datapath]).sort()).to.deep.equal([
        ['hv1', 'kernel'],
        ['hv2', 'kernel'],
      ]);
      await driver.vpcs?.ensure(vpcSpec('shop'), call());
      const from = { cidrs: ['10.0.0.0/8'] };
      const rules = [
        { id: idOf('in'), direction: 'inbound', family: 4, protocol: 'tcp', ports: { first: 80, last: 80 }, remote: from },
        { id: idOf('out'), direction: 'outbound', family: 4, remote: { cidrs: ['0.0.0.0/0'] } },
      ] as const;
      await driver.securityGroups?.ensure(groupSpec('web', rules), call());
      await driver.ensureNetwork(routedSpec('front', 'shop', '10.0.1.0/24'), call());
      await driver.ensureNetwork(routedSpec('back', 'shop', '10.0.2.0/24'), call());
      for (const port of ports) {
        const plug = { type: 'ovsPort', bridge: 'br-int', interfaceId: port.nicId };
        expect(await driver.ensurePort(port, call())).to.deep.equal(plug);
        expect(driver.sending?.isBounded(port.host)).to.equal(false);
      }
      expect(await machine.run('ovn-nbctl -vconsole:off --bare --columns=_uuid list qos')).to.equal('');
    });

    it('pass TCP of machines that leave checksums to their cards, from host to host, and cut what no rule allows', async () => {
      for (const [index, { nicId, mac, host, addresses }] of ports.entries()) {
        const name = `m${index}`;
        await machine.run(`
          set -e
          ip netns add ${name}
          ip -n ${host} link add ${name} type veth peer name eth0 address ${mac} netns ${name}
          ip -n ${host} link set ${name} up
          ip -n ${name} link set lo up
          ip -n ${name} link set eth0 mtu 1442 up
          ip -n ${name} addr add ${addresses[0]}/24 dev eth0
          ip -n ${name} route add default via ${addresses[0]?.replace(/11$/, '1')}
        `);
        await vsctl(String(host), `add-port br-int ${name} -- set interface ${name} external-ids:iface-id=${nicId}`);
      }
      for (const { nicId } of ports)
        await until(`port ${nicId}`, async () => ((await driver.readiness?.port(nicId, call()))?.state === 'ready' ? true : undefined));
      expect(await machine.run('ip netns exec m0 ethtool -k eth0')).to.match(/^tx-checksumming: on/m);
      expect(await machine.run('for n in 1 2; do ovs-appctl -t /run/hv$n/vs.ctl dpctl/show; done'))
        .to.match(/^system@/m)
        .and.not.match(/netdev@/);
      await machine.run(`mkdir /srv && head -c ${BLOB_BYTES} /dev/urandom > /srv/blob`);
      for (const port of [80, 81]) await machine.run(`ip netns exec m1 httpd -p ${port} -h /srv`);
      expect(await got('m0', '10.0.2.11', 80)).to.equal(await machine.run('md5sum < /srv/blob'));
      expect(await got('m0', '10.0.2.11', 81, 5)).to.equal(await machine.run('md5sum < /dev/null'));
    });

    it('bound what a machine sends as libvirt tells them to', async () => {
      const dropped = async () => {
        const counts = (await machine.run('ip netns exec hv1 tc -s filter show dev m0 ingress')).matchAll(/dropped (\d+)/g);
        return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
      };
      await machine.run('ip netns exec m0 httpd -p 80 -h /srv');
      const sum = await machine.run('md5sum < /srv/blob');
      const sent = () => got('m1', '10.0.1.11', 80);
      expect([await sent(), await dropped()]).to.deep.equal([sum, 0]);
      // As libvirt writes it, in kilobits a second.
      const kilobits = (RATE_BYTES_PER_SECOND * 8) / 1_000;
      await vsctl('hv1', `set interface m0 ingress_policing_rate=${kilobits} ingress_policing_burst=${kilobits}`);
      expect(await sent()).to.equal(sum);
      expect(await dropped()).to.be.greaterThan(0);
    });
  });
