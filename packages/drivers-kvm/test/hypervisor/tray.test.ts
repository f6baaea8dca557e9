import { expect } from 'chai';
import { Deadline } from '../../src/deadline.ts';
import { againWhileTrayCloses } from '../../src/hypervisor/tray.ts';
import { ErrorCode, LibvirtError } from '../../src/libvirt/index.ts';

const NOT_SAID = { dom: undefined, str1: undefined, str2: undefined, str3: undefined, int1: 0, int2: 0, net: undefined };
const refusal = (message: string) =>
  new LibvirtError('domainUpdateDeviceFlags', { ...NOT_SAID, code: ErrorCode.internalError, domain: 10, level: 2, message });

describe('a tray that a guest closes', () => {
  it('is opened again, whether it was about to be emptied or filled', async () => {
    const refusals = [
      refusal("internal error: unable to execute QEMU command 'blockdev-remove-medium': Tray of device 'scsi0-0-2-0' is not open"),
      refusal("internal error: unable to execute QEMU command 'blockdev-insert-medium': Tray of the device is not open"),
    ];
    let changes = 0;
    await againWhileTrayCloses('one', new Deadline({ requestId: 'test', timeoutMs: 60_000, signal: new AbortController().signal }), () => {
      const next = refusals.shift();
      if (next !== undefined) return Promise.reject(next);
      changes += 1;
      return Promise.resolve();
    });
    expect(changes).to.equal(1);
  });

  it('is not what another refusal means', async () => {
    const other = refusal("Device 'scsi0-0-2-0' is not removable");
    const deadline = new Deadline({ requestId: 'test', timeoutMs: 60_000, signal: new AbortController().signal });
    const outcome = await againWhileTrayCloses('one', deadline, () => Promise.reject(other)).catch((error: unknown) => error);
    expect(outcome).to.equal(other);
  });
});
