import { expect } from 'chai';
import { boots, kernelRan } from '../../packages/drivers-kvm/src/boot-probe.ts';
import { guestParts } from '../../tools/guest/initramfs.ts';
import { CACHE_DIR, ensureSystem } from '../../tools/system/ensure.ts';

describe('the boot probe', function () {
  this.timeout(200_000);

  it('believes a kernel that looks for its root file system, and nothing earlier', () => {
    expect(kernelRan('SeaBIOS\r\nBooting from ROM...')).to.equal(false);
    expect(kernelRan('[    0.9] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)')).to.equal(true);
  });

  it('sees a stock kernel boot under emulation', async () => {
    expect(await ensureSystem({ log: () => {} })).to.deep.equal({ ok: true });
    const { kernelPath } = await guestParts(CACHE_DIR);
    expect(await boots({ kernelPath, accelerator: 'tcg', timeoutMs: 120_000 })).to.equal(true);
  });

  it('gives up on a kernel that does not speak, and where there is no QEMU', async () => {
    const { kernelPath } = await guestParts(CACHE_DIR);
    expect(await boots({ kernelPath, accelerator: 'tcg', timeoutMs: 50 })).to.equal(false);
    expect(await boots({ kernelPath, accelerator: 'tcg', timeoutMs: 5_000, qemuPath: '/nonexistent/qemu' })).to.equal(false);
  });
});
