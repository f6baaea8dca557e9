import type { Deadline } from '../deadline.ts';
import { AffectFlag, domainRef } from '../libvirt/index.ts';
import { child } from '../xml/element.ts';
import type { PluggedNic } from './domain-view.ts';
import type { Domains } from './domains.ts';
import { inboundParams } from './tuning.ts';

/**
 * What a port of Open vSwitch sends to its machine is bounded by a queue, of which libvirt leaves the rows when the machine goes off. A machine whose port has the same name again, as after its
 * host was started anew, is bounded by these, as libvirt has it, and they are no port's: it gets all there is. Lifted and set again the bound is the port's. Repeatable; of a machine that is off nothing.
 */
export async function renewQueues(domains: Domains, id: string, deadline: Deadline): Promise<void> {
  const { active, live } = await domains.needSight(id, deadline);
  if (!active) return;
  for (const { mac: device, bytesPerSecond } of live.nics.flatMap(queuedNic))
    for (const inbound of [0, bytesPerSecond]) {
      const params = inboundParams(inbound);
      await domains.api.domainSetInterfaceParameters({ domain: domainRef(id), device, params, flags: AffectFlag.live }, deadline.left);
    }
}

function queuedNic({ mac, element }: PluggedNic): { readonly mac: string; readonly bytesPerSecond: number }[] {
  const average = Number(child(child(element, 'bandwidth') ?? element, 'inbound')?.attributes.average ?? 0);
  const isOfSwitch = child(element, 'virtualport')?.attributes.type === 'openvswitch';
  return isOfSwitch && average > 0 ? [{ mac, bytesPerSecond: average * 1024 }] : [];
}
