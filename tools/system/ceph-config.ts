import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

/** A user of a cluster: what a pool's settings and a host's secret are made of. */
export interface CephUser {
  /** Without `client.`, as libvirt and the drivers write it. */
  readonly name: string;
  readonly key: string;
}

export interface CephLayout {
  readonly dir: string;
  readonly fsid: string;
  /** Where monitors listen, each at a port of its own, for version 2 of the protocol alone. */
  readonly address: string;
  readonly ports: readonly number[];
  readonly osds: number;
  readonly store: 'bluestore' | 'memstore';
  /** Of each OSD, in a sparse file. */
  readonly osdBytes: number;
}

type Settings = Readonly<Record<string, string | number | boolean>>;

export const keyringOf = (dir: string, name: string): string => join(dir, 'keys', `${name}.keyring`);

/** As monitors and libvirt take it: type of cipher, time of birth, length and bytes of the secret. */
export function newKey(): string {
  const key = Buffer.alloc(28);
  key.writeUInt16LE(1, 0);
  key.writeUInt32LE(Math.floor(Date.now() / 1000), 2);
  key.writeUInt16LE(16, 10);
  randomBytes(16).copy(key, 12);
  return key.toString('base64');
}

/** One entry of a keyring. `caps` by the sort of daemon they are for. */
export function keyringEntry(name: string, key: string, caps: Readonly<Record<string, string>>): string {
  const lines = Object.entries(caps).map(([daemon, cap]) => `\tcaps ${daemon} = "${cap}"`);
  return [`[${name}]`, `\tkey = ${key}`, ...lines, ''].join('\n');
}

/** The caps by which machines and the control plane use pools, and no more: what Ceph's own manual tells operators to give. */
export const RBD_CAPS = { mon: 'profile rbd', osd: 'profile rbd', mgr: 'profile rbd' } as const;

/** ceph.conf of a cluster whose daemons are small, start at once, stay in its folder and survive anything that a test does to them. */
export function cephConfig(layout: CephLayout): string {
  const sections: Readonly<Record<string, Settings>> = {
    global: globalSettings(layout),
    client: { admin_socket: '', log_file: '', rbd_default_features: 61, rbd_default_clone_format: 2 },
    mon: monitorSettings(layout),
    mgr: managerSettings(layout),
    osd: osdSettings(layout),
  };
  return Object.entries(sections)
    .map(
      ([name, settings]) =>
        `[${name}]\n${Object.entries(settings)
          .map(([key, value]) => `${key} = ${value}\n`)
          .join('')}`,
    )
    .join('\n');
}

function globalSettings({ dir, fsid, address, ports, osds }: CephLayout): Settings {
  const replicas = Math.min(osds, 3);
  return {
    fsid,
    mon_host: ports.map((port) => `[v2:${address}:${port}]`).join(','),
    auth_cluster_required: 'cephx',
    auth_service_required: 'cephx',
    auth_client_required: 'cephx',
    keyring: keyringOf(dir, '$name'),
    admin_socket: join(dir, 'run/$name.asok'),
    log_file: join(dir, 'log/$name.log'),
    pid_file: '',
    crash_dir: join(dir, 'log'),
    public_addr: address,
    cluster_addr: address,
    ms_bind_ipv6: false,
    ms_bind_msgr1: false,
    ms_async_op_threads: 1,
    osd_pool_default_size: replicas,
    osd_pool_default_min_size: Math.max(1, replicas - 1),
    osd_pool_default_pg_num: 16,
    osd_pool_default_pgp_num: 16,
    osd_pool_default_pg_autoscale_mode: 'off',
    // All OSDs are of one host, and of no device class until somebody says which.
    osd_crush_chooseleaf_type: 0,
  };
}

function monitorSettings({ dir }: CephLayout): Settings {
  return {
    mon_data: join(dir, 'mon.$id'),
    mon_cluster_log_file: join(dir, 'log/cluster.log'),
    mon_allow_pool_delete: true,
    mon_allow_pool_size_one: true,
    mon_warn_on_pool_no_redundancy: false,
    mon_max_pg_per_osd: 1000,
    // The machine's own disk may be fuller than a monitor would like.
    mon_data_avail_crit: 1,
    mon_data_avail_warn: 2,
    // One OSD's word is enough, and one that is down stays part of the cluster: tests restart it.
    mon_osd_min_down_reporters: 1,
    mon_osd_min_in_ratio: 0.1,
    mon_osd_down_out_interval: 600,
    auth_allow_insecure_global_id_reclaim: false,
    mon_election_timeout: 1,
    mon_lease: 3,
    paxos_propose_interval: 0.05,
    paxos_min_wait: 0.01,
    mon_rocksdb_options: 'write_buffer_size=8388608,compression=kNoCompression,level_compaction_dynamic_level_bytes=true',
    rocksdb_cache_size: 16_777_216,
  };
}

function managerSettings({ dir }: CephLayout): Settings {
  // The folder holds what tasks on images need: all modules together take seven times the memory and nine seconds.
  return {
    mgr_data: join(dir, 'mgr'),
    mgr_module_path: join(dir, 'mgr-modules'),
    mgr_initial_modules: '',
    mgr_stats_period: 1,
    mgr_tick_period: 1,
  };
}

function osdSettings({ dir, store, osdBytes }: CephLayout): Settings {
  return {
    osd_data: join(dir, 'osd.$id'),
    osd_objectstore: store,
    osd_journal: '',
    // They are in the map before they first start.
    osd_crush_update_on_start: false,
    osd_class_update_on_start: false,
    osd_memory_target: 939_524_096,
    osd_memory_cache_min: 67_108_864,
    bluestore_cache_autotune: false,
    bluestore_cache_size: 67_108_864,
    bluestore_block_size: osdBytes,
    bluestore_fsck_on_mount: false,
    // Each poll for finished writes waits this long at most; with the default, the making of an OSD alone takes two seconds.
    bluestore_fsck_on_mkfs: false,
    bdev_aio_poll_ms: 5,
    memstore_device_bytes: osdBytes,
    osd_op_num_shards: 2,
    osd_op_num_threads_per_shard: 1,
    osd_heartbeat_interval: 1,
    osd_heartbeat_grace: 4,
    osd_mon_report_interval: 1,
    // The file system below may be one with short names.
    osd_max_object_name_len: 256,
    osd_max_object_namespace_len: 64,
    osd_scrub_min_interval: 1_000_000_000,
    osd_scrub_max_interval: 1_000_000_000,
    osd_deep_scrub_interval: 1_000_000_000,
    // An OSD that was taken for dead five times in ten minutes, as tests freeze it, would end by itself.
    osd_max_markdown_count: 1_000_000,
    osd_recovery_sleep: 0,
    osd_recovery_max_active: 8,
  };
}
