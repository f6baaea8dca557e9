import type { NicLimits, NicSpec, Plug } from '@pileus/core/strategy';
import { nicAlias } from '../mark.ts';
import type { Element } from '../xml/element.ts';
import { element } from '../xml/element.ts';

/** `<interface>` of a NIC, for a definition and for hot-plug alike. */
export function nicElement(nic: NicSpec, model: string): Element {
  return element(
    'interface',
    { type: interfaceType(nic.plug) },
    element('mac', { address: nic.mac }),
    ...plugElements(nic.plug),
    element('model', { type: model }),
    nic.plug.type === 'ovsPort' && nic.plug.offloads === false ? withoutOffloads() : undefined,
    nic.limits === undefined ? undefined : bandwidthElement(nic.limits),
    // Machines boot from disk: a network boot ROM would only make the firmware slower.
    element('rom', { enabled: 'no' }),
    element('alias', { name: nicAlias(nic.slot, nic.nicId) }),
  );
}

/** A switch in user space passes frames on as they come: checksums that the guest leaves to the card would never be computed. */
function withoutOffloads(): Element {
  return element('driver', {}, element('host', { csum: 'off', gso: 'off', tso4: 'off', tso6: 'off', ecn: 'off', ufo: 'off' }));
}

function interfaceType(plug: Plug): 'network' | 'bridge' | 'ethernet' {
  if (plug.type === 'libvirtNetwork') return 'network';
  return plug.type === 'tap' ? 'ethernet' : 'bridge';
}

function plugElements(plug: Plug): Element[] {
  switch (plug.type) {
    case 'libvirtNetwork':
      return [element('source', { network: plug.network })];
    case 'bridge': {
      const vlan = plug.vlan === undefined ? [] : [element('vlan', {}, element('tag', { id: plug.vlan }))];
      return [element('source', { bridge: plug.bridge }), ...vlan];
    }
    case 'ovsPort': {
      const parameters = element('parameters', { interfaceid: plug.interfaceId });
      return [element('source', { bridge: plug.bridge }), element('virtualport', { type: 'openvswitch' }, parameters)];
    }
    case 'tap':
      return [element('target', { dev: plug.device, managed: 'no' })];
  }
}

/** Libvirt counts KiB a second; a limit is rounded up, so that none becomes the 0 which lifts it. */
export function kibibytes(bytesPerSecond: number): number {
  return Math.ceil(bytesPerSecond / 1024);
}

function bandwidthElement(limits: NicLimits): Element | undefined {
  const { inboundBytesPerSecond: inward, outboundBytesPerSecond: outward } = limits;
  // For a port of Open vSwitch libvirt makes the average what it gets at least: what it gets at most is the peak.
  const inbound = inward ? element('inbound', { average: kibibytes(inward), peak: kibibytes(inward) }) : undefined;
  const outbound = outward ? element('outbound', { average: kibibytes(outward) }) : undefined;
  return inbound === undefined && outbound === undefined ? undefined : element('bandwidth', {}, inbound, outbound);
}
