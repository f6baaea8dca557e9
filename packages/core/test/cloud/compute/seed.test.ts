import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { parse } from 'yaml';
import { isoImage } from '../../../src/cloud/compute/iso-image.ts';
import { noCloudSeed, type SeedContent } from '../../../src/cloud/compute/seed.ts';
import { readIso } from './iso-reader.ts';
import { MachineStage, SSH_KEY } from './machine-stage.ts';

const CONTENT: SeedContent = {
  instanceId: '01900000-0000-7000-8000-000000000001',
  hostname: 'web',
  sshKeys: ['ssh-ed25519 AAAAC3Nza one@example.org', 'ssh-rsa AAAAB3 two "quoted" \\ é\u2028\u{1f600}'],
  nics: [{ mac: '52:54:00:00:00:01' }, { mac: '52:54:00:00:00:02' }],
  userData: '#!/bin/sh\necho "hello\tworld" > /dev/console\n',
};
const file = (seed: Uint8Array, name: string): string => readIso(seed, 'joliet').files[name]?.toString('utf8') ?? `no ${name}`;

describe('the seed of a machine', () => {
  it('is told to be what it is by both of its directories', () => {
    const seed = noCloudSeed(CONTENT);
    const [joliet, primary] = [readIso(seed, 'joliet'), readIso(seed, 'primary')];
    expect([joliet.label, primary.label]).to.deep.equal(['cidata', 'CIDATA']);
    expect(joliet.sectors * 2048).to.equal(seed.length);
    expect(Object.keys(primary.files)).to.have.length(3);
    const contents = (files: Readonly<Record<string, Buffer>>) => Object.values(files).map(String).sort();
    expect(contents(primary.files)).to.deep.equal(contents(joliet.files));
  });

  it('is as long as its content, and no shorter than what busybox reads at once', () => {
    const BUSYBOX_READS_BYTES = 0x11000;
    expect(noCloudSeed(CONTENT)).to.have.length(BUSYBOX_READS_BYTES);
    const userData = 'x'.repeat(50_000);
    const [long, longer] = [noCloudSeed({ ...CONTENT, userData }), noCloudSeed({ ...CONTENT, userData: userData + userData })];
    expect(longer.length - long.length).to.be.within(userData.length - 2048, userData.length + 2048);
    expect(file(longer, 'user-data')).to.equal(userData + userData);
  });

  it('is the same bytes for the same content, today and tomorrow', () => {
    const digest = (seed: Uint8Array) => createHash('sha256').update(seed).digest('hex');
    expect(digest(noCloudSeed(CONTENT))).to.equal(digest(noCloudSeed(structuredClone(CONTENT))));
    expect(digest(noCloudSeed({ ...CONTENT, hostname: 'web2' }))).not.to.equal(digest(noCloudSeed(CONTENT)));
  });

  it('tells cloud-init the name, the keys and the network, in well-formed YAML', () => {
    const seed = noCloudSeed(CONTENT);
    expect(parse(file(seed, 'meta-data'))).to.deep.equal({
      'instance-id': CONTENT.instanceId,
      'local-hostname': 'web',
      'public-keys': CONTENT.sshKeys,
    });
    expect(parse(file(seed, 'network-config'))).to.deep.equal({
      version: 2,
      ethernets: {
        nic0: { match: { macaddress: '52:54:00:00:00:01' }, dhcp4: true, dhcp6: true },
        nic1: { match: { macaddress: '52:54:00:00:00:02' }, dhcp4: true, dhcp6: true },
      },
    });
    expect(parse(file(noCloudSeed({ ...CONTENT, nics: [] }), 'network-config'))).to.deep.equal({ version: 2, ethernets: {} });
    expect(file(seed, 'user-data')).to.equal(CONTENT.userData);
    const { userData: _, ...bare } = CONTENT;
    expect(file(noCloudSeed(bare), 'user-data')).to.match(/^#cloud-config\n/);
  });

  it('keeps every key as it is, whatever is in it, in ASCII alone', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 5 }), (sshKeys) => {
        const text = file(noCloudSeed({ ...CONTENT, sshKeys }), 'meta-data');
        expect(text).to.match(/^[\x20-\x7e\n]*$/);
        expect((parse(text) as Record<string, unknown>)['public-keys'] ?? []).to.deep.equal(sshKeys);
      }),
      { numRuns: 40 },
    );
  });

  it('holds any files', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, fc.uint8Array({ maxLength: 5000 })), { maxLength: 8, selector: ([key]) => key }),
        (entries) => {
          const { files } = readIso(
            isoImage(
              'label',
              entries.map(([key, bytes]) => ({ name: key, bytes })),
            ),
            'joliet',
          );
          expect(Object.keys(files)).to.deep.equal(entries.map(([key]) => key).sort());
          for (const [key, bytes] of entries) expect(files[key]?.equals(bytes), key).to.equal(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('comes with each machine, with its own keys and user data, which no row shows', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ userData: 'PLANTED', sshKeys: [SSH_KEY], nics: [{ networkId: stage.networkId }] });
    const [seed] = [...(stage.sim.world.pools.get(`hv1/${stage.poolIds[0]}`)?.list() ?? [])].filter(({ kind }) => kind === 'seed');
    expect(seed?.id).to.equal(id);
    expect((await stage.instance(id)).userData).to.match(/^sealed:/);
    expect(await stage.sim.residue()).not.to.include('PLANTED');
    expect(stage.sim.rows('sealed')).to.have.length(1);
    await stage.into('deleted', id);
    expect(stage.sim.rows('sealed')).to.deep.equal([]);
    expect(
      stage.sim.world.pools
        .get(`hv1/${stage.poolIds[0]}`)
        ?.list()
        .filter(({ kind }) => kind !== 'image'),
    ).to.deep.equal([]);
  });
});
