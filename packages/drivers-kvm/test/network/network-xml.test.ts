import type { NetworkSpec } from '@pileus/core/strategy';
import { expect } from 'chai';
import { classify } from '../../src/faults.ts';
import { ErrorCode, LibvirtError } from '../../src/libvirt/index.ts';
import { inNetwork, readCidr, sameAddress } from '../../src/network/address.ts';
import { explained } from '../../src/network/driver.ts';
import { bridgeName, networkXml, portRecord, viewNetwork } from '../../src/network/network-xml.ts';
import { poolXml, viewVolume, volumeXml } from '../../src/storage/volume-xml.ts';
import { validate } from '../libvirt-schema.ts';

const SPEC: NetworkSpec = {
  id: '01900000-0000-7000-8000-0123456789ab',
  name: '<a> & b',
  owner: 'cloud-1',
  mode: 'nat',
  domain: 'cloud.example',
  subnets: [
    { id: 's4', cidr: '10.1.0.0/24', gateway: '10.1.0.1', dnsServers: ['192.0.2.1', '192.0.2.2'] },
    { id: 's6', cidr: 'fd00::/64', gateway: 'fd00::1', dnsServers: ['192.0.2.1'] },
    { id: 's4b', cidr: '10.2.0.0/16', gateway: '10.2.0.1', dnsServers: [] },
  ],
};
const PORTS = {
  dns: [portRecord('n1', '10.1.0.2', 'web'), portRecord('n2', 'fd00::2', undefined)],
  dhcp: [{ mac: '52:54:00:00:00:01', address: '10.1.0.2', staleMac: '52:54:00:00:00:02' }],
};

describe('the definition of a network', () => {
  const xml = networkXml(SPEC, 'pb-1', PORTS);

  it("fits libvirt's own schema", () =>
    validate('network', {
      nat: xml,
      isolated: networkXml({ ...SPEC, mode: 'isolated' }, 'pb-2', PORTS),
      plain: networkXml({ id: SPEC.id, name: 'n', owner: 'o', mode: 'nat', subnets: [] }, 'pb-3', { dns: [], dhcp: [] }),
    }));

  it('is read back as it was written', () => {
    const view = viewNetwork(xml);
    expect(view).to.include({ id: SPEC.id, name: SPEC.name, owner: SPEC.owner, bridge: 'pb-1', connections: 0 });
    expect(view.dns).to.deep.equal(PORTS.dns);
    expect(view.dhcp).to.deep.equal(PORTS.dhcp);
    expect(view.dhcpSubnet).to.deep.equal({ index: 0, cidr: { family: 'ipv4', address: '10.1.0.1', prefix: 24 } });
  });

  it('has a shape that changes with what needs a restart, and with nothing else', () => {
    const shape = (change: Partial<NetworkSpec>) => viewNetwork(networkXml({ ...SPEC, ...change }, 'pb-1', { dns: [], dhcp: [] })).shape;
    expect(shape({})).to.equal(viewNetwork(xml).shape);
    expect(shape({ name: 'other', owner: 'other' })).to.equal(shape({}));
    for (const change of [{ mode: 'isolated' as const }, { domain: 'x.example' }, { subnets: SPEC.subnets.slice(1) }])
      expect(shape(change)).not.to.equal(shape({}));
  });

  it('names its bridge by the id, within what the kernel takes, and otherwise when that name is taken', () => {
    const names = [0, 1, 2].map((attempt) => bridgeName(SPEC.id, attempt));
    expect(names[0]).to.equal('pb-0123456789ab');
    expect(new Set(names).size).to.equal(3);
    for (const name of names) expect(name.length).to.be.at.most(15);
  });
});

describe('addresses', () => {
  it('are in a network by its prefix, within their family', () => {
    const member = readCidr('10.1.0.1/24');
    expect(inNetwork('10.1.0.77', member)).to.equal(true);
    expect(inNetwork('10.1.1.77', member)).to.equal(false);
    expect(inNetwork('fd00::1', member)).to.equal(false);
  });

  it('are the same in every spelling', () => {
    expect(sameAddress('fd00::1', 'FD00:0:0::0001')).to.equal(true);
    expect(sameAddress('10.0.0.1', '10.0.0.2')).to.equal(false);
    expect(sameAddress('10.0.0.1', 'fd00::1')).to.equal(false);
  });
});

describe('the definitions of pools and volumes', () => {
  it("fit libvirt's own schema", async () => {
    await validate('storagepool', { pool: poolXml('pileus-1', '/var/lib/pileus/<&>') });
    const backing = { path: '/p/image-1.raw', format: 'raw' } as const;
    await validate('storagevol', {
      empty: volumeXml({ name: 'volume-1.qcow2', sizeBytes: 1024, format: 'qcow2' }),
      clone: volumeXml({ name: 'volume-2.qcow2', sizeBytes: 1024, format: 'qcow2', backing }),
    });
    expect(viewVolume(volumeXml({ name: 'v', sizeBytes: 5, format: 'qcow2', backing }))).to.include({
      capacityBytes: 5,
      backingPath: backing.path,
    });
  });
});

describe('a network whose range the host has already', () => {
  const failed = (message: string) =>
    new LibvirtError('networkCreate', {
      ...{ domain: 19, level: 2, int1: 0, int2: 0, code: ErrorCode.internalError, message },
      ...{ dom: undefined, str1: undefined, str2: undefined, str3: undefined, net: undefined },
    });

  it('is refused, and whoever chose the range is told so', () => {
    const taken = explained(failed('internal error: Network is already in use by interface virbr0'));
    expect(classify(taken)).to.equal('conflict');
    expect(taken).to.include({ told: 'An interface of the host has an address in its range: take another range.' });
    const other = failed('internal error: Child process (/usr/sbin/dnsmasq) unexpected exit status 2');
    expect(explained(other)).to.equal(other);
    expect(explained('lost')).to.equal('lost');
  });
});
