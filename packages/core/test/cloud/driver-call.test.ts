import { expect } from 'chai';
import { DriverCaller } from '../../src/cloud/driver-call.ts';
import { Causes } from '../../src/kernel/causes.ts';
import { isCloudError } from '../../src/kernel/index.ts';
import { SimEnvironment } from '../../testing/sim/environment.ts';
import { MachineStage } from './compute/machine-stage.ts';
import { codeOf } from './little-cloud.ts';

describe('a call of a driver that fails', () => {
  const caller = new DriverCaller({
    environment: new SimEnvironment('told'),
    contract: 'network',
    place: 'network libvirt on host-1',
    classify: () => 'conflict',
    observe: () => undefined,
    rest: () => () => undefined,
  });
  const failed = async (error: unknown): Promise<string | undefined> => {
    const call = { requestId: 'test', signal: new AbortController().signal, timeoutMs: 1000 };
    return caller
      .run('ensureNetwork', call, () => Promise.reject(error))
      .then(
        () => undefined,
        (refusal: unknown) => (isCloudError(refusal) ? `${refusal.code}: ${refusal.publicMessage}` : String(refusal)),
      );
  };
  const BARE = 'conflict: network libvirt on host-1 refused, because of the state it is in (network ensureNetwork).';

  it('is told without the words of the backend', async () => {
    for (const error of [new Error('in use by virbr0'), 'in use', undefined, Object.assign(new Error('in use'), { told: 7 })])
      expect(await failed(error)).to.equal(BARE);
  });

  it('is told with the sentence that the driver means for who asked', async () => {
    const error = Object.assign(new Error('in use by virbr0'), { told: 'Take another range.' });
    expect(await failed(error)).to.equal(`${BARE} Take another range.`);
  });
});

describe('what lay behind a step that failed', () => {
  it('is told to operators with all that was said, of each try, and to nobody in the operation', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    await stage.sim.done('instance.stop', { force: true }, id);
    stage.sim.world.faults.add({ command: 'power.start', times: 1, effect: 'fail', fault: 'conflict' });
    const failed = await stage.outcome('instance.start', {}, id);
    const { causes } = (await stage.ask('GET', '/causes/{id}', { params: { id: failed.id } })) as {
      readonly causes: readonly { readonly step: string; readonly chain: readonly string[] }[];
    };
    expect(causes).to.have.length(1);
    expect(causes[0]).to.include({ phase: 'do', attempt: 1, code: 'conflict' });
    const [told = '', cause = ''] = causes[0]?.chain ?? [];
    expect(told).to.match(/^CloudError: host hv1 refused, because of the state it is in \(hypervisor start\)/);
    expect(cause).to.include('SimError');
    expect(JSON.stringify(failed)).to.include('because of the state it is in').and.not.include('SimError');
    expect(await codeOf(stage.ask('GET', '/causes/{id}', { params: { id: 'none' } }))).to.equal('not_found');
  });

  it('is kept of the newest thousand operations, and of each the last tries', () => {
    const causes = new Causes();
    const failure = { at: '2030-01-01T00:00:00.000Z', step: 'a', phase: 'do', error: new Error('x'.repeat(5000)) } as const;
    for (let attempt = 1; attempt <= 20; attempt += 1) causes.failed('first', { ...failure, attempt });
    expect(causes.of('first').map(({ attempt }) => attempt)).to.deep.equal(Array.from({ length: 16 }, (_, index) => index + 5));
    expect(causes.of('first')[0]?.chain[0]).to.have.length(1000);
    for (let index = 0; index < 999; index += 1) causes.failed(`op-${index}`, { ...failure, attempt: 1 });
    causes.failed('first', { ...failure, attempt: 21 });
    causes.failed('last', { ...failure, attempt: 1 });
    expect([causes.of('op-0').length, causes.of('op-1').length, causes.of('first').length]).to.deep.equal([0, 1, 16]);
  });
});
