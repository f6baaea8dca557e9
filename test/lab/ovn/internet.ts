import { attempt, run } from '../../../tools/system/command.ts';
import { Daemon } from '../../../tools/system/daemon.ts';
import { enterEnclosure, initPid, runEnclosed } from '../../../tools/system/enclosure.ts';
import { withoutChecksumOffload } from '../../../tools/system/ovs-host.ts';
import { fabricNetns, ipBatch } from '../fabric.ts';
import { Probe } from './probe.ts';

/** What the external network is, and what is behind it. A lab has all of it for itself: nothing leads out. */
export const EXTERNAL = {
  cidr: '192.0.2.0/24',
  gateway: '192.0.2.1',
  cidr6: '2001:db8:0:2::/64',
  gateway6: '2001:db8:0:2::1',
  web: '198.51.100.10',
  web6: '2001:db8:1::10',
  resolver: '198.51.100.53',
  /** A name that the resolver knows, of `web`. */
  name: 'web.example',
} as const;

/** The world outside: an HTTP server that tells whom it sees, and a DNS server, behind the gateway of the external network. */
export class Internet {
  readonly netns: string;
  readonly #slot: number;
  readonly #rootDir: string;
  readonly #resolver: Daemon;
  #probe: Probe | undefined;

  constructor(slot: number, rootDir: string) {
    this.#slot = slot;
    this.#rootDir = rootDir;
    this.netns = `${fabricNetns(slot)}-internet`;
    const pidFile = `${rootDir}/dnsmasq.pid`;
    const words = [`--pid-file=${pidFile}`, '--conf-file=/dev/null', '--no-hosts', '--no-resolv', '--user=root', '--bind-interfaces'];
    const records = [`--host-record=${EXTERNAL.name},${EXTERNAL.web},${EXTERNAL.web6}`];
    this.#resolver = new Daemon({
      pidFile,
      argv: ['dnsmasq', ...words, `--listen-address=${EXTERNAL.resolver}`, ...records],
      run: (argv, options) => runEnclosed(rootDir, argv, { ...options, netns: this.netns }),
    });
  }

  /** Programs that stand in the internet: clients and servers. HTTP at port 80 is one. */
  async probe(): Promise<Probe> {
    this.#probe ??= await this.#startProbe();
    return this.#probe;
  }

  async exec(argv: readonly [string, ...string[]]): Promise<string> {
    return run(['ip', 'netns', 'exec', this.netns, ...argv]);
  }

  async start(): Promise<void> {
    await run(['ip', 'netns', 'add', this.netns]);
    await ipBatch(fabricNetns(this.#slot), [`link add x0 type veth peer name eth0 netns ${this.netns}`, 'link set x0 master external up']);
    await ipBatch(this.netns, [
      'link set lo up',
      'link set eth0 up',
      `addr add ${EXTERNAL.gateway}/24 dev eth0`,
      `addr add ${EXTERNAL.gateway6}/64 dev eth0 nodad`,
      `addr add ${EXTERNAL.web}/32 dev lo`,
      `addr add ${EXTERNAL.web6}/128 dev lo`,
      `addr add ${EXTERNAL.resolver}/32 dev lo`,
    ]);
    await withoutChecksumOffload(this.netns, 'eth0');
    await this.#resolver.start();
  }

  async remove(): Promise<void> {
    this.#probe?.end();
    await attempt(['ip', 'netns', 'del', this.netns]);
  }

  async #startProbe(): Promise<Probe> {
    const init = await initPid(this.#rootDir);
    if (init === undefined) throw new Error('the lab is down');
    const probe = await Probe.start('internet', enterEnclosure(init, this.netns));
    await probe.serve({ protocol: 'http', port: 80 });
    return probe;
  }
}
