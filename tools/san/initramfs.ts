import { join } from 'node:path';
import { packCpio } from '../guest/cpio.ts';
import { Found } from '../guest/found.ts';
import { guestParts } from '../guest/initramfs.ts';
import { SAN_PACKAGES, unpackedDir } from '../system/packages.ts';

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
  await found.addShell(parts.busyboxPath);
  for (const path of PROGRAMS) await found.addProgram(path);
  for (const path of PLUGINS) await found.addProgram(path);
  for (const name of LVM_LINKS) found.link(`/sbin/${name}`, 'lvm');
  found.link('/sbin/udevd', '/bin/udevadm');
  for (const dir of DATA_DIRS) await found.addDir(dir);
  for (const name of RULES) await found.addProgram(`/lib/udev/rules.d/${name}.rules`);
  await found.addModules(parts.modulesDir, MODULES);
  await found.add('/init', INIT, true);
  for (const [path, text] of Object.entries(FILES)) found.text(path, text);
  return { kernelPath: parts.kernelPath, archive: packCpio(found.entries()) };
}
