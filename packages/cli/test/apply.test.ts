import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from '../../sdk/test/fixture/simulated-server.ts';
import { Pileus } from './pileus.ts';

const GUIDE = new URL('../../../docs/guides/stacks.md', import.meta.url);

describe('cli: apply', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let pileus: Pileus;
  let file: string;
  let template: string;
  before(async () => {
    server = await startSimulatedServer();
    pileus = await Pileus.at(server);
    file = join(pileus.home, 'shop.yaml');
    template = /```yaml file=shop.yaml\n([\s\S]*?)```/.exec(await readFile(GUIDE, 'utf8'))?.[1] ?? '';
    await writeFile(file, template);
  });
  after(async () => {
    await server.close();
    await pileus.remove();
  });

  const apply = (...more: readonly string[]) => pileus.ok('apply', '-f', file, '--parameter', 'greeting=#cloud-config', ...more);
  const names = async (kind: string) => (await pileus.json<{ name: string }[]>(kind, 'list')).map(({ name }) => name);

  it('shows what the template of the guide would make, and makes it', async () => {
    const plan = await apply('--plan');
    expect(plan).to.match(/^Stack shop, new\n {2}\+ net {2}network\n {6}name: "shop"\n/);
    expect(plan).to.include('      sizeBytes: 1073741824 (1GiB)\n').and.include('userData: "(secret)"').and.include('3 to make.\n');
    expect(plan).not.to.include('\u001b').and.not.include('#cloud-config');
    expect(await names('stacks')).to.deep.equal([]);
    await apply('--wait');
    const shop = await pileus.json<{ revisionNumber: number; outputs: object }>('stacks', 'get', 'shop');
    expect(shop.revisionNumber).to.equal(1);
    expect(shop.outputs).to.include({ hostname: 'shop-web' });
    expect(await names('instances')).to.deep.equal(['shop-web']);
  });

  it('does nothing where all is so, tells what was changed by hand, and puts it right', async () => {
    expect(await apply()).to.equal('Stack shop, revision 1\nNothing to do: all is as the template says.\n');
    await pileus.ok('networks', 'update', 'shop', '--name', 'other', '--wait');
    expect(await apply('--plan')).to.include(
      '  ~ net  network\n      name: "other" → "shop"\n      name was changed by hand: "shop" → "other"\n',
    );
    await apply('--wait');
    expect(await names('networks'))
      .to.include('shop')
      .and.not.include('other');
  });

  it('deletes only when that is said, goes back, and leaves what is kept', async () => {
    await writeFile(file, template.replace(/ {2}web:[\s\S]*?outputs:[\s\S]*/, ''));
    const refused = await pileus.run('apply', '-f', file, '--parameter', 'greeting=x');
    expect(refused.code, refused.err).to.equal(2);
    expect(refused.out).to.include('  - web  instance\n');
    await apply('--yes', '--wait');
    expect(await names('instances')).to.deep.equal([]);
    await pileus.ok('stacks', 'rollback', 'shop', '--revision', '1', '--wait');
    expect(await names('instances')).to.deep.equal(['shop-web']);
    const preview = await pileus.ok('stacks', 'delete', 'shop', '--preview');
    expect(preview)
      .to.match(/^deleted +instance +shop-web/m)
      .and.match(/^detached +volume +shop-data/m);
    await pileus.ok('stacks', 'delete', 'shop', '--yes', '--wait');
    expect(await names('volumes')).to.deep.equal(['shop-data']);
    expect(await names('stack-revisions')).to.deep.equal([]);
  });

  it('names the place in the file of what is wrong', async () => {
    await writeFile(file, 'resources: { net: { kind: network, properties: { subnet: [] } } }\n');
    const { code, err } = await pileus.run('apply', '-f', file);
    expect(code).to.be.oneOf([1, 2]);
    expect(err).to.include('/resources/net/properties/subnet').and.include('made with a property subnet; there is ');
  });
});
