import { expect } from 'chai';
import { Deadline } from '../../src/deadline.ts';
import { classify } from '../../src/faults.ts';
import type { HostLink } from '../../src/host-links.ts';
import { kvm } from '../../src/index.ts';
import { ErrorCode, LibvirtError, type StorageVolume } from '../../src/libvirt/index.ts';
import { extentsOf } from '../../src/lvm-storage/contents.ts';
import { fill } from '../../src/lvm-storage/fill.ts';
import { GROUP, logicalVolumeXml } from '../../src/lvm-storage/group-xml.ts';
import { attemptName, markBytes, markName, numberOfMark, readAttempt, readMark } from '../../src/lvm-storage/names.ts';
import { Disk, type DiskFiles } from '../../src/storage/contents.ts';
import { DirPool, explained, type PoolForm } from '../../src/storage/pool.ts';
import type { Stretch } from '../../src/storage/qcow2.ts';
import { validate } from '../libvirt-schema.ts';

const ID = '01900000-0000-7000-8000-000000000001';
const MIB = 2 ** 20;

function failed(message: string, code: ErrorCode = ErrorCode.internalError): LibvirtError {
  const rest = { str1: undefined, str2: undefined, str3: undefined, int1: 0, int2: 0, net: undefined, dom: undefined };
  return new LibvirtError('storagePoolCreate', { ...rest, domain: 18, level: 2, code, message });
}

describe('a volume group as a pool', () => {
  const factory = kvm().strategies.storage?.find(({ name }) => name === 'libvirt-lvm');
  const faultOf = (settings: Readonly<Record<string, string>>) => factory?.settingFault?.(settings)?.setting;

  it('is named as LVM names groups, and has a folder beside it', () => {
    expect(factory).to.include({ scope: 'host' });
    const path = '/var/lib/pool';
    for (const group of ['vg0', 'a', '_', 'san-1.fast+x', 'x'.repeat(30)]) expect(faultOf({ group, path }), group).to.equal(undefined);
    for (const group of ['', '-vg', '.', '..', 'v g', 'vg/0', 'vg0\n', 'größe', '/dev/vg0', 'x'.repeat(31)])
      expect(faultOf({ group, path }), group).to.equal('group');
    expect(faultOf({ group: 'vg0', path: 'pool' })).to.equal('path');
    const open = (settings: Readonly<Record<string, string>>) => () =>
      factory?.open({ poolId: ID, scope: 'host', host: { hostId: 'h', uri: 'qemu:///system' }, settings });
    expect(open({ group: '..', path })).to.throw(/group must be the name/);
    expect(open({ group: 'vg0', path })).not.to.throw();
  });

  it('is a pool of libvirt that is found again by the name of its group, and is never made', async () => {
    const xml = GROUP.xmlOf('pileus-1-group', 'vg0');
    await validate('storagepool', { pool: xml });
    expect([GROUP.placeOf(xml), GROUP.isMade]).to.deep.equal(['vg0', false]);
    expect(xml).to.contain('<path>/dev/vg0</path>');
  });

  it('is told apart from one that is taken when it does not show itself', () => {
    const missing = failed('internal error: Child process (vgchange -aly vg0) unexpected exit status 5:   Volume group "vg0" not found');
    const absent = failed("unsupported configuration: cannot find logical volume group name 'vg0'", ErrorCode.configUnsupported);
    const taken = failed("operation failed: Storage source conflict with pool: 'other'");
    const faults = [missing, absent, taken].map((error) => [classify(error), classify(explained(error, GROUP.refusals))]);
    expect(faults).to.deep.equal([
      ['unavailable', 'unavailable'],
      ['unavailable', 'unavailable'],
      ['conflict', 'conflict'],
    ]);
    expect(explained(missing, GROUP.refusals)).to.have.property('told').that.contains('volume group');
    expect(explained(taken, GROUP.refusals)).to.have.property('told').that.contains('volume group');
  });

  it('that libvirt has stopped is out of reach, a full one exhausted, an open volume in use', () => {
    const told: Readonly<Record<string, string>> = {
      "Requested operation is not valid: storage pool 'pileus-1-group' is not active": 'unavailable',
      'internal error: Child process (lvcreate …) unexpected exit status 5: Volume group "vg0" has insufficient free space': 'exhausted',
      'internal error: Child process (lvchange -aln vg0/v) unexpected exit status 5: Logical volume vg0/v in use.': 'conflict',
      'internal error: … Logical volume vg0/v is used by another device': 'internal',
    };
    for (const [message, fault] of Object.entries(told)) expect(classify(failed(message)), message).to.equal(fault);
  });
});

/** A pool that is stopped, and that can be started so often; also while it is being forgotten. */
function stopped(startsMax: number, form?: PoolForm) {
  const pool = { name: 'pool', uuid: ID };
  const state = { isActive: false, starts: 0, isKnown: true };
  const refuse = (what: string) => {
    throw failed(`Requested operation is not valid: storage pool 'pool' is ${what}`, ErrorCode.operationInvalid);
  };
  const start = () => {
    if (state.starts === startsMax) throw failed('internal error: Child process (vgchange -aly vg0) unexpected exit status 5');
    state.starts += 1;
    state.isActive = true;
  };
  const api = {
    storagePoolLookupByName: async () => pool,
    storagePoolListAllVolumes: async () => (state.isActive ? [] : refuse('not active')),
    storageVolLookupByName: async () => {
      if (!state.isActive) refuse('not active');
      throw failed('no such volume', ErrorCode.noStorageVolume);
    },
    storagePoolRefresh: async () => (state.isActive ? undefined : refuse('not active')),
    storagePoolGetInfo: async () => ({ capacityBytes: state.isActive ? MIB : 0, availableBytes: 0 }),
    storagePoolCreate: async () => start(),
    storagePoolIsActive: async () => state.isActive,
    storagePoolDestroy: async () => {
      state.isActive = false;
    },
    storagePoolUndefine: async () => {
      // Another call comes just before, once.
      if (state.starts < startsMax) start();
      if (state.isActive) refuse('still active');
      state.isKnown = false;
    },
  };
  const link = { host: { api }, local: true, close: async () => {} } as unknown as HostLink;
  const deadline = new Deadline({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 5_000 });
  const dirPool = new DirPool(link, 'pool', 'vg0', form);
  const told = (work: Promise<unknown>) => work.catch((error: unknown) => classify(error));
  const looks = {
    list: () => told(dirPool.list(deadline)),
    find: () => told(dirPool.find('volume', deadline)),
    info: () => told(dirPool.info(deadline)),
  };
  return { state, looks, release: () => dirPool.release(deadline) };
}

describe('a group that libvirt has stopped by itself', () => {
  it('is started by whoever asks for something, once', async () => {
    const seen = { list: [], find: undefined, info: { capacityBytes: MIB, availableBytes: 0 } };
    for (const name of ['list', 'find', 'info'] as const) {
      const { looks, state } = stopped(2, GROUP);
      for (let round = 0; round < 2; round += 1) expect(await looks[name](), name).to.deep.equal(seen[name]);
      expect(state.starts, name).to.equal(1);
    }
  });

  it('is out of reach where it cannot be started, and a folder that is stopped is left so; neither is told as one of 0 bytes', async () => {
    for (const { looks, state } of [stopped(0, GROUP), stopped(1)]) {
      for (const look of Object.values(looks)) expect(await look()).to.equal('unavailable');
      expect(state.starts).to.equal(0);
    }
  });

  it('is forgotten, also when somebody starts it meanwhile', async () => {
    const { release, state } = stopped(1, GROUP);
    await release();
    expect(state).to.deep.equal({ isActive: false, starts: 1, isKnown: false });
  });
});

/** A block device with something of somebody else in it, and an image whose stretches are given by their lengths. */
function device(sizeBytes: number) {
  const content = Buffer.alloc(sizeBytes, 0xff);
  const asked: { readonly zeroes: boolean; readonly lengthBytes: number }[] = [];
  const volume = { pool: 'group', name: 'volume', key: 'key' };
  const write = (zeroes: boolean, offsetBytes: number, bytes: Uint8Array) => {
    asked.push({ zeroes, lengthBytes: bytes.length });
    content.set(bytes, offsetBytes);
  };
  const group = {
    zeroPart: async (_: unknown, offsetBytes: number, lengthBytes: number) => write(true, offsetBytes, Buffer.alloc(lengthBytes)),
    writePart: async (_: unknown, offsetBytes: number, bytes: Uint8Array) => write(false, offsetBytes, bytes),
  };
  return { content, asked, filling: { group, volume, sizeBytes } };
}

function imageOf(content: Buffer): Disk<StorageVolume> {
  const files: DiskFiles<StorageVolume> = {
    volume: async () => undefined,
    below: () => expect.fail('there is nothing below'),
    readPart: async (_, offsetBytes, lengthBytes) => content.subarray(offsetBytes, offsetBytes + lengthBytes),
    writePart: () => expect.fail('an image is not written to'),
    fileBytes: async () => content.length,
  };
  const stretch = async (offsetBytes: number, lengthBytes: number): Promise<Stretch> => ({
    lengthBytes,
    place: { type: 'plain', offsetBytes },
  });
  const file = { pool: 'folder', name: 'image.raw', key: 'key' };
  return new Disk(files, [{ file, isEncrypted: false, sizeBytes: content.length, clusterBytes: content.length, stretch }]);
}

describe('filling a logical volume', () => {
  const deadline = () => new Deadline({ requestId: 'fill', signal: new AbortController().signal, timeoutMs: 60_000 });

  it('leaves nothing of what was there, in pieces that do not hold up the host', async () => {
    const sizeBytes = 2 ** 33 + 512;
    const pieces: number[] = [];
    const zeroPart = async (_: unknown, offsetBytes: number, lengthBytes: number) => {
      expect(offsetBytes).to.equal(pieces.length * 64 * MIB);
      pieces.push(lengthBytes);
    };
    const group = { zeroPart, writePart: () => expect.fail('nothing else is written') };
    await fill({ ...device(0).filling, group, sizeBytes, image: undefined }, deadline());
    expect([pieces.length, Math.max(...pieces), pieces.at(-1)]).to.deep.equal([129, 64 * MIB, 512]);
  });

  it('writes what an image has, and has the host make the zeroes in it and behind it', async () => {
    const image = Buffer.alloc(17 * MIB + 512);
    image.write('first', 3);
    image.write('last', 17 * MIB + 100);
    const { content, asked, filling } = device(20 * MIB);
    await fill({ ...filling, image: imageOf(image) }, deadline());
    expect(content.equals(Buffer.concat([image, Buffer.alloc(3 * MIB - 512)]))).to.equal(true);
    expect(asked).to.deep.equal([
      { zeroes: false, lengthBytes: 8 * MIB },
      { zeroes: true, lengthBytes: 8 * MIB },
      { zeroes: false, lengthBytes: MIB + 512 },
      { zeroes: true, lengthBytes: 3 * MIB - 512 },
    ]);
  });
});

describe('a logical volume', () => {
  it('has all of its place from the beginning: libvirt would make a snapshot of anything else', async () => {
    const xml = logicalVolumeXml('volume-1', 3 * MIB + 4096);
    await validate('storagevol', { volume: xml });
    expect(xml.match(/3149824/g)).to.have.length(2);
  });

  it('tells its volume and its attempt by its name, and the mark by its length', () => {
    for (const number of [1, 7, 999_999]) {
      expect(readAttempt(attemptName({ id: ID, number }))).to.deep.equal({ id: ID, number });
      expect(numberOfMark(markBytes(number))).to.equal(number);
    }
    expect(readMark(markName(ID))).to.equal(ID);
    expect(numberOfMark(0)).to.equal(0);
    const others = [
      'root',
      `volume-${ID}`,
      `volume-${ID}.0`,
      `volume-${ID}.01`,
      `volume-${ID}.1.template`,
      `volume-${ID}.mark`,
      `xvolume-${ID}.1`,
    ];
    for (const name of others) expect(readAttempt(name), name).to.equal(undefined);
    for (const name of [`volume-${ID}.1`, `volume-${ID}.marks`, 'volume-1.mark']) expect(readMark(name), name).to.equal(undefined);
  });

  it('tells where it has data by what is in it: neighbours are one stretch', () => {
    const bytes = Buffer.alloc(4 * MIB + 512);
    bytes[2 * MIB - 1] = 1;
    bytes[2 * MIB] = 1;
    expect([...extentsOf(bytes, 8 * MIB)]).to.deep.equal([
      { offsetBytes: 8 * MIB, lengthBytes: MIB, hasData: false },
      { offsetBytes: 9 * MIB, lengthBytes: 2 * MIB, hasData: true },
      { offsetBytes: 11 * MIB, lengthBytes: MIB + 512, hasData: false },
    ]);
    expect([...extentsOf(Buffer.alloc(512, 1), 0)]).to.deep.equal([{ offsetBytes: 0, lengthBytes: 512, hasData: true }]);
    expect([...extentsOf(Buffer.alloc(0), 0)]).to.deep.equal([]);
  });
});
