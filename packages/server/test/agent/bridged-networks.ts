import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ip = (...args: readonly string[]) => run('ip', [...args]);
const ASK_METADATA = fileURLToPath(new URL('ask-metadata.ts', import.meta.url));
const ASK_NAMES = fileURLToPath(new URL('ask-names.ts', import.meta.url));

/** A network of this kernel: a bridge, and guests of it in namespaces of their own. */
export class BridgedNetwork {
  readonly bridge = `plt${randomBytes(4).toString('hex')}`;
  readonly #guests: string[] = [];

  static async start(): Promise<BridgedNetwork> {
    const network = new BridgedNetwork();
    await ip('link', 'add', network.bridge, 'type', 'bridge');
    await ip('link', 'set', network.bridge, 'up');
    return network;
  }

  /** Answers the name of its namespace. */
  async guest(address: string, service: string, mac?: string): Promise<string> {
    const name = `${this.bridge}-${this.#guests.length}`;
    const outer = `${this.bridge}g${this.#guests.length}`;
    this.#guests.push(name);
    await ip('netns', 'add', name);
    await ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    await ip('link', 'set', outer, 'master', this.bridge, 'up');
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    if (mac !== undefined) await ip('-n', name, 'link', 'set', 'eth0', 'address', mac);
    await ip('-n', name, 'link', 'set', 'eth0', 'up');
    await ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    await ip('-n', name, 'route', 'add', '169.254.169.254/32', 'via', service);
    return name;
  }

  /** A container of a guest, which translates its addresses. Answers the name of its namespace. */
  async behind(guest: string): Promise<string> {
    const name = `${guest}-inner`;
    const within = (...args: readonly string[]) => ip('-n', name, ...args);
    this.#guests.push(name);
    await ip('netns', 'add', name);
    await ip('-n', guest, 'link', 'add', 'inner', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    await ip('-n', guest, 'address', 'add', '172.31.0.1/24', 'dev', 'inner');
    await ip('-n', guest, 'link', 'set', 'inner', 'up');
    await within('address', 'add', '172.31.0.2/24', 'dev', 'eth0');
    await within('link', 'set', 'eth0', 'up');
    await within('route', 'add', 'default', 'via', '172.31.0.1');
    await ip('netns', 'exec', guest, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    await ip('netns', 'exec', guest, 'iptables', '-w', '-t', 'nat', '-A', 'POSTROUTING', '-s', '172.31.0.0/24', '-j', 'MASQUERADE');
    return name;
  }

  async close(): Promise<void> {
    for (const guest of this.#guests) await ip('netns', 'delete', guest);
    await ip('link', 'delete', this.bridge);
  }
}

/** Where machines with IPv6 ask, on the link of their card. */
export const LINK_LOCAL = 'fe80::a9fe:a9fe%eth0';

export interface Fetched {
  readonly status: number;
  readonly text: string;
}

interface Asked {
  /** Default: that of IPv4. */
  readonly host?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** What a guest is answered to so many equal questions. Status 0: nothing. */
export async function fetchMany(
  guest: string,
  path: string,
  times: number,
  { host = '169.254.169.254', method = 'GET', headers = {}, timeoutMs = 20_000 }: Asked = {},
): Promise<readonly Fetched[]> {
  const question = JSON.stringify({ host, path, method, headers, times, timeoutMs });
  return JSON.parse((await run('ip', ['netns', 'exec', guest, process.execPath, ...process.execArgv, ASK_METADATA, question])).stdout);
}

export async function fetchFrom(guest: string, path: string, asked: Asked = {}): Promise<Fetched> {
  const [answer] = await fetchMany(guest, path, 1, asked);
  return answer ?? { status: 0, text: '' };
}

export async function tokenFor(guest: string, seconds = 60, more: Asked = {}): Promise<Readonly<Record<string, string>>> {
  const headers = { 'X-aws-ec2-metadata-token-ttl-seconds': String(seconds) };
  const { text } = await fetchFrom(guest, '/latest/api/token', { method: 'PUT', headers, ...more });
  return { 'X-aws-ec2-metadata-token': text };
}

export interface Told {
  readonly id: number;
  readonly rcode: string;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly answers: readonly unknown[];
  readonly authorities: readonly string[];
  readonly additionals: readonly string[];
}

export async function askNames(
  guest: string,
  question: { server: string; name: string; type: string; edns?: number; transport?: 'udp' | 'tcp' },
): Promise<Told> {
  const args = ['netns', 'exec', guest, process.execPath, ...process.execArgv, ASK_NAMES, JSON.stringify(question)];
  return JSON.parse((await run('ip', args)).stdout);
}
