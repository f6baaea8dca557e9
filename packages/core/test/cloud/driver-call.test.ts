import { expect } from 'chai';
import { DriverCaller } from '../../src/cloud/driver-call.ts';
import { isCloudError } from '../../src/kernel/index.ts';
import { SimEnvironment } from '../../testing/sim/environment.ts';

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
