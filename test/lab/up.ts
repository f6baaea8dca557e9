// Brings up KVM hosts that stay until down.ts: sh tools/node.sh test/lab/up.ts [--hosts 3] [--tls] [--cgroups]
import { parseArgs } from 'node:util';
import { ensureSystem } from '../../tools/system/ensure.ts';
import { labUp } from './lab.ts';

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '3' },
    tls: { type: 'boolean', default: false },
    cgroups: { type: 'boolean', default: false },
  },
});
const system = await ensureSystem({ log: console.error });
if (!system.ok) throw new Error(system.reason);
const lab = await labUp({ hosts: Number(values.hosts), tls: values.tls, cgroups: values.cgroups, keep: true });
for (const host of lab.hosts) console.log(`${host.name}  virsh -c qemu:///system?socket=${host.socketPath}`);
