import { expect } from 'chai';
import { LOOK_MS, MachineStage } from '../../compute/machine-stage.ts';

/** A cloud whose VPCs bound by themselves what machines send, or not. */
async function stageWith({ boundsSending }: { readonly boundsSending: boolean }) {
  const stage = await MachineStage.with({ network: false }, { world: { boundsSending } });
  const vpcId = await stage.sim.done('vpc.create', { name: 'shop' });
  const networkId = await stage.sim.done('network.create', { vpcId, subnets: [{ cidr: '10.0.0.0/24' }] });
  const port = (nicId: string) => stage.sim.world.fabric.networks.get(networkId)?.ports.get(nicId);
  return { stage, networkId, port };
}

describe('what a NIC in a VPC may send', () => {
  it('is bounded by its switch where that can, and what it receives by its host', async () => {
    const { stage, networkId, port } = await stageWith({ boundsSending: true });
    const limits = { inboundBytesPerSecond: 500, outboundBytesPerSecond: 1000 };
    const id = await stage.machine({ nics: [{ networkId, limits }] });
    const [nic] = await stage.nics(id);
    const real = () => stage.real(id).spec.nics[0]?.limits;
    const bound = () => port(nic?.id ?? '')?.outboundBytesPerSecond;
    expect([bound(), real()]).to.deep.equal([1000, { inboundBytesPerSecond: 500 }]);
    await stage.sim.done('nic.setLimits', { limits: { outboundBytesPerSecond: 2000 } }, nic?.id);
    expect([bound(), real()]).to.deep.equal([2000, undefined]);
    // Nothing is to be mended on the host, and the switch keeps it also when somebody takes it away.
    await stage.sim.run(LOOK_MS);
    const revision = await stage.revision();
    const spec = port(nic?.id ?? '');
    const { outboundBytesPerSecond: _, ...without } = spec ?? {};
    stage.sim.world.fabric.networks.get(networkId)?.ports.set(nic?.id ?? '', without as never);
    await stage.sim.run(3 * LOOK_MS);
    expect([bound(), real(), await stage.revision()]).to.deep.equal([2000, undefined, revision]);
    await stage.sim.done('nic.setLimits', { limits: { outboundBytesPerSecond: 0 } }, nic?.id);
    expect([bound(), real()]).to.deep.equal([undefined, undefined]);
  });

  it('is what it was when it could not be changed', async () => {
    const { stage, networkId, port } = await stageWith({ boundsSending: true });
    const [nic] = await stage.nics(await stage.machine({ nics: [{ networkId, limits: { outboundBytesPerSecond: 1000 } }] }));
    stage.sim.world.faults.add({ command: 'limits.setNicLimits', effect: 'fail', fault: 'invalid', times: 1 });
    const limits = { inboundBytesPerSecond: 5, outboundBytesPerSecond: 3000 };
    const { operationId } = await stage.sim.submit('nic.setLimits', { limits }, nic?.id);
    expect((await stage.sim.ended(operationId)).state).to.equal('failed');
    expect(port(nic?.id ?? '')?.outboundBytesPerSecond).to.equal(1000);
  });

  it('is bounded by its host elsewhere', async () => {
    const { stage, networkId } = await stageWith({ boundsSending: false });
    const limits = { outboundBytesPerSecond: 1000 };
    const id = await stage.machine({ nics: [{ networkId, limits }] });
    expect(stage.real(id).spec.nics[0]?.limits).to.deep.equal(limits);
  });

  it('is left to its host as it is while nobody knows who bounds it, as after a start of the server, and bounded by both for who is new', async () => {
    for (const boundsSending of [false, true]) {
      const { stage, networkId, port } = await stageWith({ boundsSending });
      const limits = { inboundBytesPerSecond: 500, outboundBytesPerSecond: 1000 };
      const id = await stage.machine({ nics: [{ networkId, limits }] });
      const real = () => stage.real(id).spec.nics[0]?.limits;
      const before = boundsSending ? { inboundBytesPerSecond: 500 } : limits;
      expect(real()).to.deep.equal(before);
      stage.sim.crash();
      stage.sim.world.sendingIsUnknown = true;
      await stage.sim.start();
      await stage.sim.run(3 * LOOK_MS);
      expect(real()).to.deep.equal(before);
      const late = await stage.machine({ name: 'late', nics: [{ networkId, limits }] });
      const [nic] = await stage.nics(late);
      const lateReal = () => stage.real(late).spec.nics[0]?.limits;
      expect([lateReal(), port(nic?.id ?? '')?.outboundBytesPerSecond]).to.deep.equal([limits, 1000]);
      stage.sim.world.sendingIsUnknown = false;
      await stage.sim.run(3 * LOOK_MS);
      expect([real(), lateReal()]).to.deep.equal([before, before]);
    }
  });
});
