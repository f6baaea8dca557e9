import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { run } from '../../tools/system/command.ts';
import { LabCloud } from './lab-cloud.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const template = (hostId: string, { description, extra }: { readonly description: string; readonly extra: boolean }) => `
name: shop
resources:
  net:
    kind: network
    properties: { name: shop, hostId: ${hostId}, description: ${description}, subnets: [{ name: front, cidr: 192.168.91.0/24 }] }
  back:
    kind: subnet
    properties: { name: back, networkId: { ref: net }, cidr: 192.168.92.0/24 }
  data:
    kind: volume
    properties: { name: shop-data, sizeBytes: 4194304 }
  web:
    kind: instance
    properties: { name: shop-web, instanceType: tiny, imageId: halt, nics: [{ subnetId: { ref: back } }], attachVolumeIds: [{ ref: data }] }
${extra ? '  more:\n    kind: volume\n    properties: { name: shop-more, sizeBytes: 4194304 }\n' : ''}`;

/** docs/guides/stacks.md, on a real libvirt, with the command line. */
describe('a stack from a file', function () {
  this.timeout(600_000);
  let lab: LabCloud;
  let file: string;
  before(async () => {
    lab = await LabCloud.up();
    file = join(lab.serverDir, 'shop.yaml');
  });
  after(() => lab?.down());

  const pileus = (...args: readonly string[]) => {
    const env = { ...process.env, HOME: lab.serverDir, PILEUS_URL: lab.server.url, PILEUS_KEY: lab.server.apiKey };
    return run([join(ROOT, 'pileus'), ...args], { env });
  };
  const apply = async (is: Parameters<typeof template>[1]) => {
    await writeFile(file, template(lab.hostId, is));
    return pileus('apply', '-f', file, '--yes', '--wait');
  };
  const volumes = async () => (await lab.poolFiles()).filter((name) => /volume|seed/.test(name)).length;

  it('is made, changed, rolled back and deleted, with all that is real of it', async () => {
    const networks = await lab.virshNames('net-list', '--all', '--name');
    const before = await volumes();
    await apply({ description: 'first', extra: false });
    expect(await lab.virshNames('list', '--all', '--name')).to.have.length(1);
    expect(await lab.virshNames('net-list', '--all', '--name')).to.have.length(networks.length + 1);
    const made = await volumes();
    expect(await apply({ description: 'second', extra: true })).to.include('description: "first" → "second"');
    expect(await volumes()).to.equal(made + 1);
    expect(await apply({ description: 'second', extra: true })).to.include('Nothing to do');
    await pileus('stacks', 'rollback', 'shop', '--revision', '1', '--wait');
    expect(await volumes()).to.equal(made);
    expect(await lab.cloud.networks.get('shop')).to.include({ description: 'first' });
    await pileus('stacks', 'delete', 'shop', '--yes', '--wait');
    expect(await lab.virshNames('list', '--all', '--name')).to.deep.equal([]);
    expect(await lab.virshNames('net-list', '--all', '--name')).to.deep.equal(networks);
    expect(await volumes()).to.equal(before);
  });

  it('that is being made when the server is killed is there in whole', async () => {
    await writeFile(file, template(lab.hostId, { description: 'first', extra: true }));
    await pileus('apply', '-f', file, '--yes', '--no-wait');
    await lab.kill();
    await lab.start();
    const [operation] = await lab.cloud.operations.list({ filter: "action = 'stack.create'", sort: '-createdAt', limit: 1 }).toArray();
    await pileus('operations', 'wait', operation?.id ?? '');
    expect(await pileus('apply', '-f', file)).to.include('Nothing to do');
    await pileus('stacks', 'delete', 'shop', '--yes', '--wait');
    expect(await lab.virshNames('list', '--all', '--name')).to.deep.equal([]);
  });
});
