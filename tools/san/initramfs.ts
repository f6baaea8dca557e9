import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type ArchiveEntry, packCpio } from '../guest/cpio.ts';
import { guestParts } from '../guest/initramfs.ts';
import { modulesInLoadOrder } from '../guest/kernel-modules.ts';
import { run } from '../system/command.ts';
import { exists, SAN_PACKAGES, unpackedDir } from '../system/packages.ts';

const INIT = join(import.meta.dirname, 'init.sh');
const MODULES = [
  ...['virtio_pci', 'virtio_net', 'virtio_blk', 'virtio_console', 'virtio_rng'],
  ...['dm_mod', 'dm_multipath', 'dm_service_time', 'dm_round_robin', 'dm_snapshot'],
  ...['sd_mod', 'iscsi_tcp', 'sg'],
];
/** Each as it is called in the machine; of those that are not installed here, the unpacked one. */
const PROGRAMS = [
  ...['/usr/sbin/libvirtd', '/usr/bin/virt-admin', '/usr/bin/qemu-img'],
  ...['/sbin/lvm', '/sbin/dmsetup', '/bin/udevadm', '/lib/udev/scsi_id'],
  ...['/usr/sbin/tgtd', '/usr/sbin/tgtadm', '/sbin/iscsid', '/sbin/iscsiadm', '/sbin/multipathd', '/sbin/multipath'],
];
const LVM_LINKS = ['pvcreate', 'pvscan', 'pvs', 'vgcreate', 'vgchange', 'vgs', 'vgscan', 'lvcreate', 'lvremove', 'lvchange', 'lvs', 'vgck'];
const LIBVIRT = '/usr/lib/x86_64-linux-gnu/libvirt';
/** What it loads by itself. */
const PLUGINS = [
  `${LIBVIRT}/connection-driver/libvirt_driver_qemu.so`,
  `${LIBVIRT}/connection-driver/libvirt_driver_storage.so`,
  `${LIBVIRT}/connection-driver/libvirt_driver_secret.so`,
  `${LIBVIRT}/storage-backend/libvirt_storage_backend_fs.so`,
  `${LIBVIRT}/storage-backend/libvirt_storage_backend_logical.so`,
  `${LIBVIRT}/storage-file/libvirt_storage_file_fs.so`,
  '/usr/lib/x86_64-linux-gnu/libgcc_s.so.1',
];
const DATA_DIRS = ['/usr/share/libvirt/cpu_map', '/lib/multipath'];
const RULES = [
  ...['50-udev-default', '60-block', '60-persistent-storage', '55-dm', '60-persistent-storage-dm', '95-dm-notify', '56-lvm'],
  ...['60-multipath', '56-dm-mpath'],
];

/** Of the first LUN of tgt's first target. */
const LUN_WWID = '360000000000000000e00000000010001';

const FILES: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0::/:/bin/sh\nlibvirt-qemu:x:64055:64055::/nonexistent:/bin/false\n',
  'etc/group': ['root:x:0:', 'disk:x:6:', 'tty:x:5:', 'kvm:x:106:', 'libvirt-qemu:x:64055:', 'cdrom:x:24:', ''].join('\n'),
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
  'etc/hosts': '127.0.0.1 localhost san-host\n',
  'etc/libvirt/libvirtd.conf': [
    'listen_tls = 0\nlisten_tcp = 1\nlisten_addr = "10.0.2.15"\nauth_tcp = "none"\nauth_unix_rw = "none"',
    'unix_sock_group = "root"\nhost_uuid = "5f0c1c7e-9d0e-4d5f-8d7e-0c9a6c9f3a11"\nmax_clients = 500\nmax_client_requests = 50\n',
  ].join('\n'),
  'etc/libvirt/qemu.conf': 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\nstdio_handler = "file"\nnamespaces = []\n',
  'etc/lvm/lvm.conf': [
    'devices { dir = "/dev" scan = [ "/dev" ] filter = [ "a|^/dev/vd[a-z]$|", "a|^/dev/mapper/san|", "r|.*|" ] use_devicesfile = 0 multipath_component_detection = 0 }',
    'backup { backup = 0 archive = 0 }',
    'activation { udev_sync = 1 udev_rules = 1 monitoring = 0 }',
    'global { event_activation = 0 }\n',
  ].join('\n'),
  'etc/iscsi/initiatorname.iscsi': 'InitiatorName=iqn.2026-01.test.pileus:host\n',
  'etc/iscsi/iscsid.conf': [
    'iscsid.startup = /sbin/iscsid',
    'node.startup = manual',
    'node.session.timeo.replacement_timeout = 5',
    'node.conn[0].timeo.noop_out_interval = 2',
    'node.conn[0].timeo.noop_out_timeout = 2\n',
  ].join('\n'),
  'etc/multipath.conf': `defaults {
  user_friendly_names no
  find_multipaths no
  polling_interval 1
  max_polling_interval 2
  path_grouping_policy multibus
  no_path_retry queue
}
blacklist {
  devnode "^vd"
}
multipaths {
  multipath {
    wwid ${LUN_WWID}
    alias san
  }
}
`,
};

/** The whole file system of the machine: programs of this release with the libraries that they name, drivers of the kernel, and a shell. */
export async function buildSanInitramfs(cacheDir: string): Promise<{ readonly kernelPath: string; readonly archive: Buffer }> {
  const parts = await guestParts(cacheDir);
  const found = new Found(SAN_PACKAGES.map((name) => unpackedDir(cacheDir, name)));
  const applets = (await run([parts.busyboxPath, '--list'])).split('\n').filter((applet) => applet !== '' && applet !== 'busybox');
  await found.add('/bin/busybox', parts.busyboxPath);
  for (const applet of applets) found.link(`/bin/${applet}`, 'busybox');
  for (const path of PROGRAMS) await found.addProgram(path);
  for (const path of PLUGINS) await found.addProgram(path);
  for (const name of LVM_LINKS) found.link(`/sbin/${name}`, 'lvm');
  found.link('/sbin/udevd', '/bin/udevadm');
  for (const dir of DATA_DIRS) await found.addDir(dir);
  for (const name of RULES) await found.addProgram(`/lib/udev/rules.d/${name}.rules`);
  const modules = await modulesInLoadOrder(parts.modulesDir, MODULES);
  for (const { name, path } of modules) await found.add(`/lib/modules/${name}.ko`, path);
  await found.add('/init', INIT, true);
  const texts = { ...FILES, 'etc/modules': modules.map(({ name }) => `${name}\n`).join('') };
  for (const [path, text] of Object.entries(texts)) found.text(path, text);
  return { kernelPath: parts.kernelPath, archive: packCpio(found.entries()) };
}

/** Files by their places in the machine. */
class Found {
  readonly #roots: readonly string[];
  readonly #entries = new Map<string, ArchiveEntry>();

  /** @param roots where packages are unpacked: looked into before this machine's own files */
  constructor(roots: readonly string[]) {
    this.#roots = roots;
    for (const path of ['dev', 'proc', 'sys', 'run', 'tmp', 'var/lib', 'etc/iscsi']) this.#entries.set(path, { kind: 'dir', path });
  }

  text(path: string, content: string): void {
    this.#entries.set(path, { kind: 'file', path, content: Buffer.from(content), executable: false });
  }

  link(path: string, target: string): void {
    if (!this.#entries.has(path.slice(1))) this.#entries.set(path.slice(1), { kind: 'link', path: path.slice(1), target });
  }

  async add(path: string, source: string, executable = false): Promise<void> {
    const mode = (await stat(source)).mode;
    const content = await readFile(source);
    this.#entries.set(path.slice(1), { kind: 'file', path: path.slice(1), content, executable: executable || (mode & 0o100) !== 0 });
  }

  /** With what `ldd` says that it loads. */
  async addProgram(path: string): Promise<void> {
    const source = await this.#locate(path);
    await this.add(path, source, !path.endsWith('.rules'));
    if (path.endsWith('.rules')) return;
    const libraries = this.#roots.flatMap((root) =>
      ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'lib'].map((dir) => join(root, dir)),
    );
    const env = { ...process.env, LD_LIBRARY_PATH: libraries.join(':') };
    for (const [, name, file] of (await run(['ldd', source], { env })).matchAll(/^\s*(?:(\S+) => )?(\/\S+) \(0x/gm)) {
      if (file === undefined) continue;
      const isLoader = name === undefined;
      await this.add(isLoader ? file : `/usr/lib/x86_64-linux-gnu/${name}`, await realpath(file), true);
    }
  }

  async addDir(dir: string): Promise<void> {
    const source = await this.#locate(dir);
    for (const file of await readdir(source)) {
      if (file.endsWith('.so')) await this.addProgram(join(dir, file));
      else if ((await stat(join(source, file))).isFile()) await this.add(join(dir, file), join(source, file));
    }
  }

  entries(): readonly ArchiveEntry[] {
    const all = new Map<string, ArchiveEntry>();
    const dir = (path: string) => {
      if (path === '.' || all.has(path)) return;
      dir(dirname(path));
      all.set(path, { kind: 'dir', path });
    };
    for (const [path, entry] of this.#entries) {
      dir(dirname(path));
      if (!all.has(path)) all.set(path, entry);
    }
    return [...all.values()];
  }

  async #locate(path: string): Promise<string> {
    const places = [...this.#roots.flatMap((root) => [join(root, path), join(root, 'usr', path)]), path, join('/usr', path)];
    for (const place of places) if (await exists(place)) return realpath(place);
    throw new Error(`nothing installed or unpacked has ${path} (${basename(path)})`);
  }
}
