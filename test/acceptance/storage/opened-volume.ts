import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CephCluster } from '../../../tools/system/ceph-cluster.ts';
import { ChildDaemon } from '../../../tools/system/child-daemon.ts';
import { run } from '../../../tools/system/command.ts';
import { exists } from '../../../tools/system/packages.ts';
import { childrenOf } from '../../../tools/system/processes.ts';
import { until } from '../../lab/waiting.ts';
import { POOL } from './ceph-cloud.ts';

/** QEMU has the image open and shows it as a file, in which a file system is. Its end is that of the namespace. */
const SCRIPT = `
set -e
qemu-storage-daemon --blockdev driver=rbd,node-name=disk,pool="$POOL",image="$IMAGE",conf="$CONF",user=admin \\
  --export type=fuse,id=file,node-name=disk,mountpoint="$DIR/file",writable=on &
daemon=$!
echo $daemon >"$DIR/daemon"
until [ "$(stat -c %s "$DIR/file")" -gt 0 ]; do kill -0 $daemon; sleep 0.1; done
[ -z "$FORMAT" ] || mkfs.ext4 -q "$DIR/file"
mount -o loop "$DIR/file" "$DIR/mnt"
touch "$DIR/ready"
set +e
wait $daemon
touch "$DIR/closed"
sleep infinity
`;

/** The file system of a volume, mounted where programs of this machine see it that run in its namespace: as in a guest, without one. */
export class OpenedVolume implements AsyncDisposable {
  readonly dir: string;
  readonly #daemon: ChildDaemon;
  readonly #inside: number;

  private constructor(dir: string, daemon: ChildDaemon, inside: number) {
    this.dir = dir;
    this.#daemon = daemon;
    this.#inside = inside;
  }

  static async open(ceph: CephCluster, volumeId: string, { format = false } = {}): Promise<OpenedVolume> {
    const dir = await mkdtemp('/tmp/pileus-opened-');
    await chmod(dir, 0o755);
    await mkdir(join(dir, 'mnt'));
    await writeFile(join(dir, 'file'), '');
    const words = [`POOL=${POOL}`, `IMAGE=volume-${volumeId}`, `CONF=${ceph.configPath}`, `DIR=${dir}`, `FORMAT=${format ? 'yes' : ''}`];
    const namespace = ['unshare', '--mount', '--pid', '--fork', '--kill-child'] as const;
    const daemon = new ChildDaemon({ argv: [...namespace, 'env', ...words, 'sh', ...['-c', SCRIPT]], logPath: join(dir, 'log') });
    await daemon.start();
    await until(`the file system of ${volumeId}`, async () => {
      if (daemon.pid === undefined) throw new Error(`${volumeId} cannot be opened: see ${dir}/log`);
      return (await exists(join(dir, 'ready'))) || undefined;
    });
    const [inside] = await childrenOf(daemon.pid ?? 0);
    if (inside === undefined) throw new Error('the namespace has ended');
    return new OpenedVolume(dir, daemon, inside);
  }

  /** What is in it, for programs that run there. */
  get root(): string {
    return join(this.dir, 'mnt');
  }

  run(...argv: readonly [string, ...string[]]): Promise<string> {
    return run(['nsenter', `--target=${this.#inside}`, '--mount', '--pid', ...argv]);
  }

  shell(script: string): Promise<string> {
    return this.run('sh', ...['-c', script]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#daemon.pid !== undefined) {
      await this.shell(`umount "${this.root}" && kill "$(cat "${this.dir}/daemon")"`);
      await until('the image to be closed', async () => (await exists(join(this.dir, 'closed'))) || undefined);
    }
    await this.#daemon.kill();
    await rm(this.dir, { recursive: true, force: true });
  }
}
