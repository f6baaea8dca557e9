import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import type { Probe } from '../../lab/ovn/probe.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, cut, OvnCloud, reaches } from './ovn-cloud.ts';

/** What the whole cloud makes of rows that somebody has taken away or put there. That drivers tell these apart is proven with each. */
if (FULL)
  describe('networks on OVN that somebody else writes to', function () {
    this.timeout(900_000);
    let cloud: OvnCloud;
    let a: CloudMachine;
    let b: CloudMachine;
    let outside: Probe;
    let vpcId: string;
    let groupId: string;
    let external: string;

    before(async () => {
      cloud = await OvnCloud.up({ hosts: 2 });
      const externalNetworkId = await cloud.external();
      const shop = await cloud.vpc('shop');
      vpcId = shop.vpcId;
      groupId = await cloud.openGroup(vpcId);
      const nic = { networkId: shop.networkId, securityGroupIds: [groupId] };
      a = await cloud.machine('a', 0, nic);
      b = await cloud.machine('b', 1, nic);
      await cloud.done('natGateway.create', { vpcId, externalNetworkId });
      const elasticIpId = await cloud.done('elasticIp.create', { externalNetworkId });
      await cloud.done('elasticIp.bind', { nicId: b.nicId }, elasticIpId);
      external = String((await cloud.row('elasticIp', elasticIpId)).address);
      await b.probe.serve({ protocol: 'tcp', port: 80 });
      outside = await cloud.lab.ovn.internet.probe();
      await allPasses();
    });
    after(() => cloud?.[Symbol.asyncDispose]());

    const within = () => ({ address: b.address, port: 80 });
    const fromOutside = () => ({ address: external, port: 80 });
    async function allPasses(): Promise<void> {
      await reaches(a.probe, within());
      await reaches(outside, fromOutside());
    }
    const nbctl = (...words: readonly string[]) => cloud.lab.ovn.central.nbctl(...words);
    const held = async (table: string, row: string) => (await nbctl('--bare', '--columns=_uuid', 'find', table, row)).trim();
    /** OVN makes its own rows anew. */
    const look = async () => (await cloud.wanted()).map((line) => line.replace(/^(southbound \S+) .*/, '$1')).sort();
    async function becomes(before: readonly string[]): Promise<void> {
      const same = async () => (JSON.stringify(await look()) === JSON.stringify(before) ? true : undefined);
      await until('what there was', same).catch(async () => {
        const now = await look();
        expect(now.filter((line) => !before.includes(line))).to.deep.equal(before.filter((line) => !now.includes(line)));
      });
    }

    it('have rules, translations and ports again that were taken away', async () => {
      await cloud.lab.ovn.central.settle();
      const before = await look();
      const damages = [
        { what: 'rules', words: ['clear', 'Port_Group', groupId, 'acls'], broken: () => cut(a.probe, within()) },
        { what: 'a translation', words: ['lr-nat-del', vpcId, 'dnat_and_snat', external], broken: () => cut(outside, fromOutside()) },
        { what: 'a port', words: ['lsp-del', b.nicId], broken: () => cut(a.probe, within()) },
      ];
      for (const { what, words, broken } of damages) {
        // Else it would be mended before packets tell of it.
        await cloud.stop();
        await nbctl(...words);
        expect(await look(), what).to.not.deep.equal(before);
        await broken();
        await cloud.start();
        await allPasses();
        await becomes(before);
        // And by a look of one that is up.
        await nbctl(...words);
        await becomes(before);
        await allPasses();
      }
    });

    it('keep what has their mark and is unknown until an operator removes it, and what is not theirs for good', async () => {
      const before = await look();
      const objectId = randomUUID();
      const marked = (id: string) => ['external_ids:pileus-owner=network-acceptance', `external_ids:pileus-object=vpcs/${id}`];
      await nbctl('lr-add', 'theirs', '--', 'ls-add', 'theirs', '--', 'create', 'Logical_Router', 'name=unknown', ...marked(objectId));
      const row = await until('the stray', async () => (await cloud.rows('stray', 'objectId', objectId))[0]);
      expect(row).to.include({ state: 'quarantined', objectKind: 'vpc', place: 'ovn' });
      expect(await held('Logical_Router', 'name=unknown')).to.not.equal('');
      await cloud.done('stray.remove', {}, row.id);
      expect(await held('Logical_Router', 'name=unknown')).to.equal('');

      // What has been deleted and arrives after that.
      const gone = await cloud.done('vpc.create', { name: 'gone' });
      await cloud.done('vpc.delete', {}, gone);
      await nbctl('create', 'Logical_Router', 'name=late', ...marked(gone));
      await until('the late one gone', async () => ((await held('Logical_Router', 'name=late')) === '' ? true : undefined));
      expect(await cloud.rows('stray', 'objectId', gone)).to.deep.equal([]);

      for (const table of ['Logical_Router', 'Logical_Switch']) expect(await held(table, 'name=theirs'), table).to.not.equal('');
      await nbctl('lr-del', 'theirs', '--', 'ls-del', 'theirs');
      await becomes(before);
      await allPasses();
    });

    it('leave nothing in OVN and on the hosts', async () => {
      expect(await cloud.clear()).to.deep.equal([]);
    });
  });
