import type { Call, FabricTroubles, HostPorts, HostTrouble } from '@pileus/core/strategy';
import { Bounds } from './bounds.ts';
import { Milestone } from './milestone.ts';
import type { Northbound } from './northbound.ts';
import { Configurations } from './readiness.ts';
import type { Southbound } from './southbound.ts';

/**
 * Whether hosts follow OVN, and OVN the northbound database: from time to time a number of the configuration is given out, and who has not reached it when the next is
 * does not follow. Nothing else tells, for what a host said last stays when its ovn-controller has died, and that of one whose switch has stopped goes on. A switch that hangs is not
 * seen: an ovn-controller that has nothing to tell it takes it for done.
 */
export class Health {
  readonly #southbound: Southbound;
  readonly #configurations: Configurations;
  readonly #milestone: Milestone;

  constructor(northbound: Northbound, southbound: Southbound, milestone = new Milestone()) {
    this.#southbound = southbound;
    this.#configurations = new Configurations(northbound.client);
    this.#milestone = milestone;
  }

  async troubles(hosts: readonly HostPorts[], call: Call): Promise<FabricTroubles> {
    const bounds = new Bounds(call);
    if (this.#milestone.isTime) this.#milestone.tell(await this.#configurations.next(bounds));
    await this.#southbound.look(bounds);
    const isStuck = this.#milestone.isAhead(this.#southbound.configuration);
    const reason = 'does not follow its northbound database: ovn-northd has stopped, or hangs';
    // Whom nothing is told cannot follow.
    return { ...(isStuck ? { reason } : {}), hosts: hosts.flatMap((ports) => this.#look(ports, !isStuck)) };
  }

  #look({ host, nicIds }: HostPorts, isTold: boolean): readonly HostTrouble[] {
    const [chassis] = this.#southbound.replica.tables.Chassis.find({ hostname: host });
    const unplugged = nicIds.filter((id) => this.#southbound.bindingOf(id)?.chassis.hostname !== host);
    if (chassis === undefined) return [{ host, reason: 'is not known to OVN: its ovn-controller was stopped', unplugged }];
    const isBehind = isTold && this.#milestone.isAhead(this.#southbound.configurationOf(chassis.name));
    const reason = 'does not follow OVN: its ovn-controller has stopped or hangs, or its Open vSwitch has stopped';
    return isBehind || unplugged.length > 0 ? [{ host, unplugged, ...(isBehind ? { reason } : {}) }] : [];
  }
}
