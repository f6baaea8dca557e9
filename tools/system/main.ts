// Sets up the system packages that real guests need: sh tools/node.sh tools/system/main.ts
import { ensureSystem } from './ensure.ts';

const outcome = await ensureSystem({ log: console.error });
console.log(outcome.ok ? 'The system packages are in place.' : `Not set up: ${outcome.reason}.`);
process.exitCode = outcome.ok ? 0 : 1;
