import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { KernelServices, Plugin } from '@pileus/core/kernel';
import { expect } from 'chai';
import { MachineStage } from '../../packages/core/test/cloud/compute/machine-stage.ts';
import { codeOf as codeOfRefusal, LittleCloud } from '../../packages/core/test/cloud/little-cloud.ts';
import { startSimulatedServer } from '../../packages/sdk/test/fixture/simulated-server.ts';
import { Tenancy } from '../../packages/server/test/tenants/tenancy.ts';
import { attempt } from '../../tools/system/command.ts';
import { CodeOfPage, codeOf, NODE, ROOT, read } from './documents.ts';

describe('the code of the guides', function () {
  this.timeout(300_000);

  it('of write-a-driver.md compiles, passes the conformance suite, and serves a cloud', async () => {
    await using code = await CodeOfPage.lay('docs/guides/write-a-driver.md');
    expect(code.names).to.have.members(['fabric.ts', 'controller.ts', 'fabric.test.ts', 'use.ts']);
    expect(await code.typeErrors()).to.equal('');
    const mocha = join(ROOT, 'node_modules/mocha/bin/mocha.js');
    const suite = await attempt([...NODE, mocha, '--no-config', '--reporter', 'json', join(code.dir, 'fabric.test.ts')], {
      timeoutMs: 240_000,
    });
    const { stats } = JSON.parse(suite.stdout) as {
      readonly stats: { readonly passes: number; readonly failures: number; readonly pending: number };
    };
    expect(stats, suite.stdout.slice(-3000)).to.include({ failures: 0, pending: 0 });
    expect(stats.passes).to.be.above(20);
    expect(await code.run('use.ts')).to.equal('lan fabric zone available\n');
  });

  it('of placement.md compiles, and keeps machines where the page says', async () => {
    await using code = await CodeOfPage.lay('docs/guides/placement.md');
    expect(code.names).to.deep.equal(['licences.ts']);
    expect(await code.typeErrors()).to.equal('');
    const { licences } = (await import(join(code.dir, 'licences.ts'))) as { readonly licences: Plugin };
    const stage = await MachineStage.with({ hosts: 2, network: false }, { plugins: [licences] });
    for (const vcpus of [8, 9]) await stage.sim.done('instanceType.create', { name: `of-${vcpus}`, vcpus, memoryBytes: 2 ** 30 });
    const refused = await stage.refusal('instance.create', stage.input({ instanceType: 'of-9' }));
    expect(refused.params?.reasons).to.deep.equal({ hv1: 'has no licence for it', hv2: 'has no licence for it' });
    await stage.machine({ instanceType: 'of-8' });
    await stage.sim.done('host.update', { labels: { licence: 'large' } }, stage.hostIds[1]);
    expect((await stage.instance(await stage.machine({ instanceType: 'of-9' }))).hostId).to.equal(stage.hostIds[1]);
  });

  it('of settings.md compiles, and tells what is set for each host', async () => {
    await using code = await CodeOfPage.lay('docs/guides/settings.md');
    expect(code.names).to.deep.equal(['racks.ts']);
    expect(await code.typeErrors()).to.equal('');
    const { racks, degreesOf, degreesOfAll } = (await import(join(code.dir, 'racks.ts'))) as {
      readonly racks: Plugin;
      readonly degreesOf: (services: KernelServices, hostId: string) => Promise<number>;
      readonly degreesOfAll: (services: KernelServices) => number;
    };
    const stage = await LittleCloud.open({ plugins: [racks] });
    const hosts = [await stage.host('hv1'), await stage.host('hv2')];
    const { services } = stage.sim.kernel;
    const told = () => stage.sim.environment.complete(Promise.all(hosts.map((hostId) => degreesOf(services, hostId))));
    expect([await told(), degreesOfAll(services)]).to.deep.equal([[25, 25], 25]);
    await stage.sim.done('settingValue.set', { key: 'racks.degrees', value: 30 });
    await stage.sim.done('settingValue.set', { key: 'racks.degrees', value: 20, resourceKind: 'host', resourceId: hosts[1] });
    expect([await told(), degreesOfAll(services)]).to.deep.equal([[30, 20], 30]);
    expect(await codeOfRefusal(stage.sim.submit('settingValue.set', { key: 'racks.degrees', value: 41 }))).to.equal('invalid_input');
  });

  it('of tenants.md compiles, and makes a tenant', async () => {
    await using code = await CodeOfPage.lay('docs/guides/tenants.md');
    expect(await code.typeErrors()).to.equal('');
    const tenancy = await Tenancy.open();
    try {
      const { url, key } = tenancy.server;
      expect(await code.run('tenant.ts', { PILEUS_URL: url, PILEUS_KEY: key })).to.equal('build-1\npermission_denied\n');
    } finally {
      await tenancy.close();
    }
  });

  it('of queries.md compiles, and is answered', async () => {
    await using code = await CodeOfPage.lay('docs/guides/queries.md');
    expect(await code.typeErrors()).to.equal('');
    const { url, apiKey, close } = await startSimulatedServer();
    try {
      for (const name of code.names) expect(await code.run(name, { PILEUS_URL: url, PILEUS_KEY: apiKey })).to.equal('[]\n');
    } finally {
      await close();
    }
  });

  it('of security-groups.md compiles, and opens a way', async () => {
    await using code = await CodeOfPage.lay('docs/guides/security-groups.md');
    expect(await code.typeErrors()).to.equal('');
    const { url, apiKey, close } = await startSimulatedServer();
    try {
      expect(await code.run('reach.ts', { PILEUS_URL: url, PILEUS_KEY: apiKey })).to.equal('blocked no_rule\nreachable 7\n');
    } finally {
      await close();
    }
  });

  for (const [page, file, told] of [
    ['public-addresses.md', 'front.ts', 'conflict /nicId\n203.0.113.80 bound\n'],
    ['load-balancers.md', 'balance.ts', '10.1.0.100 web-1 0 unchecked, web-2 1 online\n'],
    ['snapshots.md', 'before.ts', 'in_use\ncrash before-upgrade-0 before-upgrade-1\n'],
    ['images.md', 'download.ts', '1048576\n'],
  ] as const)
    it(`of ${page} compiles, and does what the page says`, async () => {
      await using code = await CodeOfPage.lay(`docs/guides/${page}`);
      expect(await code.typeErrors()).to.equal('');
      const { url, apiKey, close } = await startSimulatedServer();
      try {
        expect(await code.run(file, { PILEUS_URL: url, PILEUS_KEY: apiKey })).to.equal(told);
      } finally {
        await close();
      }
    });

  it('of add-a-kind.md compiles, and adds a kind', async () => {
    await using code = await CodeOfPage.lay('docs/guides/add-a-kind.md');
    expect(await code.typeErrors()).to.equal('');
    expect(await code.run('use.ts')).to.equal('laptop available ssh-ed25519\ninvalid_input at /publicKey\n1\n0\n');
  });

  it('of tags.md is that of the plugin that it names', async () => {
    const plugin = await read('packages/core/test/examples/racks/racks.ts');
    for (const code of (await codeOf('docs/guides/tags.md')).values()) expect(plugin).to.include(code);
  });

  it('is looked at on every page that has any', async () => {
    const pages = await readdir(join(ROOT, 'docs'), { recursive: true });
    const texts = await Promise.all(pages.filter((page) => page.endsWith('.md')).map(async (page) => [page, await read(`docs/${page}`)]));
    const withCode = texts.flatMap(([page = '', text = '']) => (/^```(ts|js)\b/m.test(text) ? [basename(page)] : []));
    const tests = await readFile(import.meta.filename, 'utf8');
    expect(withCode.filter((page) => !tests.includes(page))).to.deep.equal([]);
    expect(withCode.length).to.be.above(10);
  });
});
