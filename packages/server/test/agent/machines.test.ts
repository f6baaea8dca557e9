import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServedMachine } from '@pileus/core/agent';
import { expect } from 'chai';
import { linkLocalOf, Machines, peerOf } from '../../src/agent/services/machines.ts';
import { ServedFiles } from '../../src/agent/services/served.ts';

const NETWORK = '018f0000-0000-7000-8000-000000000001';
const machine = (instanceId: string, address: string): ServedMachine => ({
  ...{ instanceId, name: instanceId, hostname: 'm', fqdn: 'm', instanceType: 'small', zone: 'z', projectId: 'p', sshKeys: [] },
  nics: [
    {
      nicId: instanceId,
      networkId: NETWORK,
      mac: '52:54:00:00:00:01',
      addresses: [{ address, prefixLength: 24, subnetId: NETWORK }],
      dnsServers: [],
    },
  ],
});

describe('agent: machines by address', () => {
  it('are nobody where the address that is asked from cannot be told', () => {
    const nameless = {
      get remoteAddress(): string {
        throw Object.assign(new Error('no such device or address'), { code: 'ENXIO' });
      },
    };
    expect([nameless, {}, { remoteAddress: '10.0.1.11' }].map(peerOf)).to.deep.equal(['', '', '10.0.1.11']);
  });

  it('have one of the link, that follows from their MAC', () => {
    expect(['52:54:00:00:00:01', '02:00:00:00:00:00', 'fe:54:00:ab:cd:0f'].map(linkLocalOf)).to.deep.equal([
      'fe80::5054:ff:fe00:1',
      'fe80::ff:fe00:0',
      'fe80::fc54:ff:feab:cd0f',
    ]);
  });

  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pileus-served-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("an address that was one's and is another's is that of whom was told last, in whatever order they are read", async () => {
    // The first one was never withdrawn. Files are read by name, which comes after that of the second.
    const [gone, there] = ['b-gone', 'a-there'];
    const files = await ServedFiles.open(directory);
    await files.put('machines', gone, '1', machine(gone, '10.0.0.5'));
    await files.put('machines', there, '2', machine(there, '10.0.0.5'));
    for (const order of [
      [gone, there],
      [there, gone],
    ]) {
      const machines = new Machines(await ServedFiles.open(directory));
      for (const id of order) machines.changed(id);
      expect(machines.at(NETWORK, '10.0.0.5')?.instanceId).to.equal(there);
      expect(machines.at(NETWORK, '10.0.0.6')).to.equal(undefined);
      expect(machines.at(NETWORK, 'fe80::5054:ff:fe00:1%eth0')?.instanceId).to.equal(there);
    }
  });
});
