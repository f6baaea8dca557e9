import type { Call } from '@pileus/core/strategy';
import { expect } from 'chai';
import { PrivateSwitches } from './private-switches.ts';

const OURS = '0190a5d0-ac96-774b-bcce-b302099a8057';
const OF_OTHERS = '5c1b4b5e-2b52-4d3a-9f27-6f0e1d2c3b4a';
const call = (): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 30_000 });

describe('queues that libvirt leaves of machines that are off', function () {
  this.timeout(120_000);
  let switches: PrivateSwitches;

  before(async () => {
    switches = await PrivateSwitches.start(['hv1']);
  });
  after(() => switches[Symbol.asyncDispose]());

  const vsctl = (...words: readonly string[]) => switches.vsctl('hv1', ...words);
  const notes = (machine: string, port: string) => [`external-ids:vm-id="${machine}"`, `external-ids:ifname="${port}"`];
  /** As libvirt does it. */
  const bounded = (port: string, machine: string) =>
    vsctl(
      ...['--', '--may-exist', 'add-port', 'br-ex', port],
      ...['--', 'set', 'port', port, 'qos=@qos', ...notes(machine, port)],
      ...['--', '--id=@qos', 'create', 'qos', 'type=linux-htb', 'other_config:max-rate=8000', 'queues:0=@queue', ...notes(machine, port)],
      ...['--', '--id=@queue', 'create', 'queue', 'other_config:max-rate=8000', ...notes(machine, port)],
    );
  const rows = async (table: string) => {
    const words = ['--format=csv', '--no-headings', '--columns=external_ids', 'list', table];
    return (await vsctl(...words)).split('\n').flatMap((line) => /ifname=([\w-]+)/.exec(line)?.[1] ?? (line === '' ? [] : 'none'));
  };

  it('go when the cloud looks, and nothing else does', async () => {
    await using driver = Object.assign(switches.open(), {
      [Symbol.asyncDispose](this: { close(): Promise<void> }) {
        return this.close();
      },
    });
    for (const [port, machine] of [
      ['vnet0', OURS],
      ['vnet1', OURS],
      ['vnet2', OF_OTHERS],
      ['vnet3', OURS],
      ['vnet5', OURS],
    ] as const)
      await bounded(port, machine);
    // Of an operator's own; and one that a machine has which is about to be given another.
    await vsctl('create', 'qos', 'type=linux-htb');
    await vsctl('create', 'queue', 'other_config:max-rate=8000');
    await vsctl('create', 'qos', 'type=linux-htb', ...notes(OURS, 'vnet3'));
    // Another port has come to use it.
    await vsctl(
      '--',
      'add-port',
      'br-ex',
      'other',
      '--',
      'set',
      'port',
      'other',
      `qos=${(await vsctl('get', 'port', 'vnet5', 'qos')).trim()}`,
    );
    for (const port of ['vnet0', 'vnet2', 'vnet5']) await vsctl('del-port', port);
    const there = ['none', 'vnet0', 'vnet1', 'vnet2', 'vnet3', 'vnet3', 'vnet5'];
    expect((await rows('qos')).toSorted()).to.deep.equal(there);
    await driver.listNetworks(call());
    expect((await rows('qos')).toSorted()).to.deep.equal(there.filter((name) => name !== 'vnet0'));
    expect((await rows('queue')).toSorted()).to.deep.equal(['none', 'vnet1', 'vnet2', 'vnet3', 'vnet5']);
    for (const port of ['vnet1', 'vnet3', 'other']) await vsctl('del-port', port);
    await driver.listNetworks(call());
    for (const table of ['qos', 'queue']) expect((await rows(table)).toSorted(), table).to.deep.equal(['none', 'vnet2']);
  });
});
