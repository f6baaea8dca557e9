import { once } from 'node:events';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import type { ByteStream, HypervisorDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import type { HostLink } from '../host-links.ts';
import { ConsoleFlag, domainRef } from '../libvirt/index.ts';
import type { Domains } from './domains.ts';

/** `serial` goes through libvirt, wherever the host is. `vnc` is a socket of the host's file system, so only of this machine's own host. */
export function consoleVerbs(domains: Domains, link: HostLink): NonNullable<HypervisorDriver['consoles']> {
  type Consoles = NonNullable<HypervisorDriver['consoles']>;
  const needActive = async (id: string, deadline: Deadline) => {
    const sight = await domains.needSight(id, deadline);
    if (!sight.active) throw new DriverError('conflict', `machine ${id} does not run, so it has no console`);
    return sight;
  };
  const serial: Consoles['serial'] = async (id, call) => {
    const deadline = new Deadline(call);
    await needActive(id, deadline);
    // Who opens it last has it: a viewer that vanished without hanging up must not lock others out.
    return asBytes(await link.host.openConsole({ domain: domainRef(id), flags: ConsoleFlag.force }, { timeoutMs: deadline.leftMs }));
  };
  const vnc: Consoles['vnc'] = async (id, call) => {
    const deadline = new Deadline(call);
    const { vncSocket } = (await needActive(id, deadline)).live;
    if (vncSocket === undefined) throw new DriverError('unsupported', `machine ${id} was defined without a screen that can be reached`);
    const socket = connect(vncSocket);
    try {
      await deadline.bound(once(socket, 'connect'), `connecting to the screen of machine ${id}`);
    } catch (error) {
      socket.destroy();
      throw new DriverError('unavailable', `the screen of machine ${id} cannot be reached`, { cause: error });
    }
    return asBytes(socket);
  };
  return link.local ? { serial, vnc } : { serial };
}

function asBytes(duplex: Duplex): ByteStream {
  const { readable, writable } = Duplex.toWeb(duplex);
  return { readable, writable } as ByteStream;
}
