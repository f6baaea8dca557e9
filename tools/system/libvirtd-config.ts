import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface LibvirtdOptions {
  readonly hostUuid: string;
  /** Listen on this address too: port 16509 without authentication, and 16514 with TLS if asked. Absent: the unix socket only. */
  readonly address?: string;
  /** Distinguished names of the clients that TLS lets in. The certificates lie in etc/pki. Absent: no TLS. */
  readonly tlsClients?: readonly string[];
  readonly cgroupControllers?: readonly string[];
}

/** Lays out the folder of a libvirtd of our own: libvirtd-init.sh puts its parts where libvirt looks. */
export async function writeLibvirtdRoot(rootDir: string, options: LibvirtdOptions): Promise<void> {
  for (const dir of ['etc/qemu/networks', 'run', 'lib/images', 'lib/qemu', 'lib/boot', 'log/qemu', 'cache']) {
    await mkdir(join(rootDir, dir), { recursive: true });
  }
  await writeFile(join(rootDir, 'etc/libvirtd.conf'), configText(libvirtdSettings(options)));
  await writeFile(join(rootDir, 'etc/qemu.conf'), configText(qemuSettings(options)));
}

export function socketPathOf(rootDir: string): string {
  return join(rootDir, 'run/libvirt-sock');
}

type Setting = string | number | readonly string[];

function libvirtdSettings(options: LibvirtdOptions): Record<string, Setting> {
  return {
    host_uuid: options.hostUuid,
    unix_sock_group: 'root',
    unix_sock_rw_perms: '0700',
    auth_unix_ro: 'none',
    auth_unix_rw: 'none',
    max_clients: 500,
    max_client_requests: 50,
    keepalive_interval: 5,
    keepalive_count: 5,
    listen_tls: options.tlsClients === undefined ? 0 : 1,
    listen_tcp: options.address === undefined ? 0 : 1,
    ...(options.address === undefined ? {} : { listen_addr: options.address, auth_tcp: 'none' }),
    ...(options.tlsClients === undefined
      ? {}
      : {
          key_file: '/etc/libvirt/pki/server-key.pem',
          cert_file: '/etc/libvirt/pki/server-cert.pem',
          ca_file: '/etc/libvirt/pki/ca-cert.pem',
          tls_allowed_dn_list: options.tlsClients,
        }),
  };
}

function qemuSettings(options: LibvirtdOptions): Record<string, Setting> {
  return {
    user: 'root',
    group: 'root',
    dynamic_ownership: 0,
    remember_owner: 0,
    security_driver: 'none',
    // No virtlogd and no namespaces: nothing else has to run, and a test sees the same files as the guest.
    stdio_handler: 'file',
    namespaces: [],
    cgroup_controllers: options.cgroupControllers ?? [],
    ...(options.address === undefined ? {} : { migration_address: '0.0.0.0', migration_host: options.address, vnc_listen: '0.0.0.0' }),
    ...(options.tlsClients === undefined ? {} : { migrate_tls_x509_cert_dir: '/etc/libvirt/pki', migrate_tls_x509_verify: 1 }),
  };
}

function configText(settings: Record<string, Setting>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
    .join('');
}
