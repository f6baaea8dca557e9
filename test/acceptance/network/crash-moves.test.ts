import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { NfsServer } from '../../../tools/system/nfs-server.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { eventually } from '../lab-cloud.ts';
import { faultsOf, titleOf } from '../stepped.ts';
import type { Order } from '../stepped-cloud.ts';
import { CrashStage } from './crash-stage.ts';

/** What a call may do that was cut short has been done by then, and the host has answered since. */
const LATE_MS = 240_000;

if (FULL)
  describe('machines that move between hosts or come back on real OVN and libvirt, each step failing and killed', function () {
    this.timeout(3_600_000);
    const stage = new CrashStage();
    const { ids, made } = stage;
    let nfs: NfsServer;
    let empty: object;
    const files = () => readdir(nfs.folder, { recursive: true });

    before(async () => {
      await stage.up(2);
      nfs = await NfsServer.start({ netns: stage.lab.name });
      await writeFile(join(nfs.folder, 'pileus-pool'), '');
      await made('pool.create', {
        ...{ driver: 'nfs', zoneId: ids.zone },
        settings: { server: stage.lab.fabricAddress, export: nfs.folder },
      });
      ids.elasticIp = await made('elasticIp.create', { externalNetworkId: ids.external, distributed: true });
      ids.balancer = await made('loadBalancer.create', { name: 'standing', subnetId: ids.subnet });
      const healthCheck = { intervalSeconds: 5, timeoutSeconds: 5, successes: 1, failures: 2 };
      ids.listener = await made('listener.create', { loadBalancerId: ids.balancer, protocol: 'tcp', port: 80, healthCheck });
      await made('settingValue.set', { key: 'trash.retentionSeconds', value: 86_400 });
      // One machine has been there: images and what is learned stay.
      const first = await made('instance.create', { ...stage.instance('first'), hostId: stage.hostIds[0] });
      await made('instance.delete', { permanent: true }, { resourceId: first });
      empty = { world: await stage.settled(true), files: await files() };
      ids.mover = await made('instance.create', { ...stage.instance('mover'), hostId: stage.hostIds[0] });
      await made('elasticIp.bind', { nicId: stage.nicOf(ids.mover) }, { resourceId: String(ids.elasticIp) });
    });
    after(async () => {
      await nfs?.[Symbol.asyncDispose]();
      await stage[Symbol.asyncDispose]();
    });

    /** To the end, once it is not refused any more for what a call that was cut short may do yet. */
    const end = (order: Order): Promise<string | undefined> =>
      eventually(
        'what may begin',
        async () => {
          try {
            return { end: await stage.cloud.end(order) };
          } catch (error) {
            if (error instanceof Error && error.message.includes('Ask again in a while')) return undefined;
            throw error;
          }
        },
        LATE_MS,
      ).then((ended) => ended.end);
    const succeeds = async (order: Order): Promise<boolean> => [undefined, 'succeeded'].includes(await end(order));

    it('leave one that is recovered from the trash, and what leads to it, as it was or as it should be', async () => {
      ids.binned = await made('instance.create', { ...stage.instance('binned'), hostId: stage.hostIds[0], start: false });
      const nicId = stage.nicOf(ids.binned);
      await made('portForward.create', { natGatewayId: ids.gateway, protocol: 'tcp', externalPort: 2200, nicId, port: 22 });
      await made('backend.create', { listenerId: ids.listener, nicId, port: 8080 });
      await made('instance.delete', {}, { resourceId: ids.binned });
      const recover: Order = { action: 'instance.recover', input: {}, resourceId: ids.binned };
      const remove: Order = { action: 'instance.delete', input: {}, resourceId: ids.binned };
      await stage.playPair({ kind: 'a machine in the trash', make: () => recover, takeBack: () => remove, isChange: true }, (all) => all);

      const recovered = await stage.cloud.perform(recover);
      const last = recovered?.places.findLast(({ type }) => type === 'effect');
      await made('instance.delete', {}, { resourceId: ids.binned });
      await stage.goBack(() => recover, { path: String(last?.path), phase: 'do', when: 'after', how: 'fails' }, end);
    });

    it('leave one that migrates on one host, with its card and what OVN knows of it, and nothing on the other', async () => {
      const to = (host: number): Order => ({
        action: 'instance.migrate',
        input: { hostId: stage.hostIds[host] },
        resourceId: String(ids.mover),
      });
      // There and back once: what is learned on the way is there from then on.
      for (const host of [1, 0]) expect(await stage.cloud.toTheEnd(to(host))).to.equal(true);
      const worlds: object[] = [];
      const faults = [];
      for (const host of [1, 0]) {
        const outcome = await stage.cloud.perform(to(host));
        expect(outcome?.state, JSON.stringify(outcome?.error)).to.equal('succeeded');
        worlds[host] = await stage.settled(true);
        if (host === 1) faults.push(...faultsOf(outcome?.places ?? []));
      }
      expect(worlds[0]).to.not.deep.equal(worlds[1]);
      expect(faults.length).to.be.greaterThan(20);
      let here = 0;
      for (const fault of faults) {
        const there = 1 - here;
        const hasMoved = await succeeds({ ...to(there), fault });
        const title = `${titleOf('migrate', fault)} (${hasMoved ? 'moved' : 'unwound'})`;
        await stage.expectWorld(worlds[hasMoved ? there : here] ?? {}, title);
        if (!hasMoved) {
          expect(await succeeds(to(there)), `moved after ${title}`).to.equal(true);
          await stage.expectWorld(worlds[there] ?? {}, `after ${title}`);
        }
        here = there;
      }
      await stage.goBack(() => to(1 - here), { path: 'send', phase: 'do', when: 'after', how: 'fails' }, end);
    });

    it('leave nothing when they are gone', async () => {
      await made('elasticIp.unbind', {}, { resourceId: String(ids.elasticIp) });
      for (const id of [ids.mover, ids.binned]) await made('instance.delete', { permanent: true }, { resourceId: String(id) });
      expect({ world: await stage.settled(true), files: await files() }).to.deep.equal(empty);
    });
  });
