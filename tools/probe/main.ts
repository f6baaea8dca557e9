// Prints kvm or tcg: what guests really run under on this machine: sh tools/node.sh tools/probe/main.ts
import { ensureSystem } from '../system/ensure.ts';
import { probeHypervisor } from './probe.ts';

const system = await ensureSystem({ log: console.error });
if (!system.ok) throw new Error(system.reason);
console.log(await probeHypervisor());
