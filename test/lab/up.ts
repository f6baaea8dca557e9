// Brings up KVM hosts that stay until down.ts: sh tools/node.sh test/lab/up.ts [--hosts 3] [--tls] [--cgroups] [--ovn]
import { parseArgs } from 'node:util';
import { ensureSystem } from '../../tools/system/ensure.ts';
import { OVN_PACKAGES } from '../../tools/system/packages.ts';
import { labUp } from './lab.ts';

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '3' },
    tls: { type: 'boolean', default: false },
    cgroups: { type: 'boolean', default: false },
    ovn: { type: 'boolean', default: false },
  },
});
const system = await ensureSystem({ log: console.error, also: values.ovn ? OVN_PACKAGES : [] });
if (!system.ok) throw new Error(system.reason);
const lab = await labUp({ hosts: Number(values.hosts), tls: values.tls, cgroups: values.cgroups, ovn: values.ovn, keep: true });
console.log(`${lab.name}  sh tools/node.sh test/lab/down.ts ${lab.name}`);
for (const host of lab.hosts) console.log(`${host.name}  virsh -c qemu:///system?socket=${host.socketPath}`);
if (values.ovn) {
  const { central, internet } = lab.ovn;
  for (const host of lab.hosts) console.log(`${host.name}  ovs-vsctl --db=unix:${host.switch.socketPath}`);
  console.log(`OVN  ovn-nbctl --db=${central.northboundRemote}\nOVN  ovn-sbctl --db=${central.southboundRemote}`);
  console.log(`internet  ip netns exec ${internet.netns}`);
}
