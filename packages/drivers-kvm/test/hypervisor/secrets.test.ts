import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Call, HypervisorDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { newKey } from '../../../../tools/system/ceph-config.ts';
import { kvm } from '../../src/index.ts';
import { LabBackend, required } from '../conformance/lab-host.ts';

const call = (): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 60_000 });
const REF = 'ceph of <pileus> & others';

describe('secrets on a host', function () {
  this.timeout(180_000);
  let backend: LabBackend;
  let driver: HypervisorDriver;
  let secrets: NonNullable<HypervisorDriver['secrets']>;

  before(async () => {
    backend = await LabBackend.up();
    driver = required(kvm({ virtType: 'tcg' }).strategies.hypervisor).open(backend.host);
    secrets = driver.secrets ?? expect.fail('the driver keeps no secrets');
  });

  after(async () => {
    await driver?.close();
    await backend?.close();
  });

  const listed = async () => (await backend.virsh('secret-list')).split('\n').filter((line) => line.includes('ceph'));
  const uuid = async () => (await listed())[0]?.trim().split(/\s+/)[0] ?? expect.fail('no secret');

  it('are of Ceph, found by their reference, and once there however often they are put', async () => {
    await secrets.put(REF, newKey(), call());
    const first = await listed();
    expect(first).to.have.length(1);
    expect(first[0]).to.contain(REF);
    await secrets.put(REF, newKey(), call());
    expect(await listed()).to.deep.equal(first);
  });

  it('are shown to nobody, and kept in files that root alone reads', async () => {
    const secret = await uuid();
    const refusal = await backend.virsh('secret-get-value', secret).catch((error: Error) => error.message);
    expect(refusal).to.match(/secret is private/);
    const dir = join(backend.labHost.rootDir, 'etc/secrets');
    for (const name of await readdir(dir)) expect((await stat(join(dir, name))).mode & 0o077, name).to.equal(0);
  });

  it('outlive a restart of libvirtd', async () => {
    const before = await listed();
    await backend.labHost.killDaemon();
    await backend.labHost.startDaemon();
    expect(await listed()).to.deep.equal(before);
  });

  it('have values that are keys: another is refused, and not shown in what is said about it', async () => {
    const refusal = await secrets.put('other', 'no key: p@ss', call()).catch((error: Error) => error);
    expect(driver.classify(refusal)).to.equal('invalid');
    expect(String(refusal)).not.to.contain('p@ss');
    expect(await listed()).to.have.length(1);
  });

  it('go when they are deleted', async () => {
    for (let round = 0; round < 2; round += 1) await secrets.delete(REF, call());
    expect(await listed()).to.deep.equal([]);
  });
});
