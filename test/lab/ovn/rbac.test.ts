import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ovn } from '@pileus/drivers-ovs/ovn';
import { expect } from 'chai';
import { attempt } from '../../../tools/system/command.ts';
import { ensureSystem } from '../../../tools/system/ensure.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { type ClientCredentials, createAuthority, installHostCertificate } from '../certificates.ts';
import { type Lab, labUp } from '../lab.ts';
import { until } from '../waiting.ts';
import { chassisName } from './host-switch.ts';
import { makeNetwork, plug } from './small-network.ts';

const PORT = 6643;

if (FULL)
  describe('a southbound database where each host may change what is its own', function () {
    this.timeout(300_000);
    let lab: Lab;
    let dir: string;
    let client: ClientCredentials;

    before(async () => {
      expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
      dir = await mkdtemp(join(tmpdir(), 'pileus-rbac-'));
      client = await createAuthority(join(dir, 'pki'));
      lab = await labUp({ hosts: 2, ovn: true, libvirt: false });
      await makeNetwork(lab);
    });
    after(async () => {
      await lab?.down();
      await rm(dir, { recursive: true, force: true });
    });

    /** Key, certificate and authority, as commands of OVN take them. */
    const keysOf = async (name: string, address: string) => {
      await installHostCertificate(join(dir, 'pki'), { name, address, rootDir: join(dir, name) });
      return ['server-key.pem', 'server-cert.pem', 'ca-cert.pem'].map((file) => join(dir, name, 'etc/pki', file));
    };

    it('serves hosts and drivers by TLS, and refuses a host what is of another', async () => {
      const { central, southbound, northbound } = lab.ovn;
      await central.sbctl('set-ssl', ...(await keysOf('central', southbound.host)));
      await central.sbctl('set-connection', 'role=ovn-controller', `pssl:${PORT}:${southbound.host}`);
      const remote = `ssl:${southbound.host}:${PORT}`;
      const keys = await Promise.all(lab.hosts.map(({ name, address }) => keysOf(chassisName(name), address)));
      for (const [index, host] of lab.hosts.entries()) {
        await central.sbctl('chassis-del', chassisName(host.name));
        await host.switch.vsctl('set-ssl', ...(keys[index] ?? []));
        await host.switch.vsctl('set', 'open_vswitch', '.', `external-ids:ovn-remote="${remote}"`);
      }
      await lab.ovn.joined(lab.hosts);

      const machines = await Promise.all([plug(lab, 0, 1), plug(lab, 1, 2)]);
      for (const machine of machines) await until(`a lease of ${machine.name}`, () => machine.dhcp());
      expect(await machines[0].pings('10.0.1.12')).to.equal(true);

      const [factory] =
        ovn({
          northbound: [{ kind: 'tcp', ...northbound }],
          southbound: [{ kind: 'tls', host: southbound.host, port: PORT, ...client }],
        }).strategies?.network ?? [];
      const driver = factory?.open({}) ?? expect.fail('no driver');
      try {
        const hosts = await driver.hosts?.list({ requestId: 'rbac', signal: new AbortController().signal, timeoutMs: 60_000 });
        expect(hosts?.map(({ host }) => host).sort()).to.deep.equal(['hv1', 'hv2']);
      } finally {
        await driver.close();
      }

      const [key = '', cert = '', ca = ''] = keys[1] ?? [];
      const asSecond = (...words: readonly string[]) =>
        attempt(['ovn-sbctl', `--db=${remote}`, '-p', key, '-c', cert, '-C', ca, '--timeout=60', ...words]);
      const renamed = (host: string) => asSecond('set', 'Chassis', chassisName(host), 'external_ids:seen=yes');
      expect((await renamed('hv2')).exitCode).to.equal(0);
      const refused = await renamed('hv1');
      expect([refused.exitCode, refused.stderr]).to.satisfy(([code, said]: [number, string]) => code !== 0 && /permission/.test(said));
    });
  });
