import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../../tools/system/command.ts';
import { freePort } from '../../../../tools/system/free-port.ts';
import type { Address } from '../../src/ovsdb/index.ts';
import { ensureOvsdb, northboundSchema, PrivateServer } from './private-server.ts';

/** A raft cluster of three for OVN's northbound database, on this machine. */
export class PrivateCluster implements AsyncDisposable {
  readonly dir: string;
  readonly members: readonly PrivateServer[];

  private constructor(dir: string, members: readonly PrivateServer[]) {
    this.dir = dir;
    this.members = members;
  }

  static async start(): Promise<PrivateCluster> {
    await ensureOvsdb();
    const dir = await mkdtemp(join(tmpdir(), 'pileus-raft-'));
    const members: PrivateServer[] = [];
    const ports = new Set<number>();
    while (ports.size < 3) ports.add(await freePort());
    const [first = '', ...others] = [...ports].map((port) => `tcp:127.0.0.1:${port}`);
    for (const [index, local] of [first, ...others].entries()) {
      const home = join(dir, String(index));
      await mkdir(home);
      const file = join(home, 'db');
      if (index === 0) await run(['ovsdb-tool', 'create-cluster', file, northboundSchema, local]);
      else await run(['ovsdb-tool', 'join-cluster', file, 'OVN_Northbound', local, first]);
      const member = await PrivateServer.serve(home, file, []);
      members.push(member);
      await joined(member);
    }
    return new PrivateCluster(dir, members);
  }

  get addresses(): readonly [Address, ...Address[]] {
    const [first, ...others] = this.members.map(({ address }) => address);
    if (first === undefined) throw new Error('a cluster without members');
    return [first, ...others];
  }

  /** The member that is reached by this address. */
  member(address: Address): PrivateServer {
    const member = this.members.find((each) => each.address === address);
    if (member === undefined) throw new Error('an address of no member');
    return member;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.members) await member.kill();
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** Waits until a member has the database from the others. */
async function joined(member: PrivateServer): Promise<void> {
  await run(['ovsdb-client', '--timeout=90', 'wait', `unix:${member.socketPath}`, 'OVN_Northbound', 'connected']);
}
