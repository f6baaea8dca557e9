// Sets up the system packages that real guests and tests need: sh tools/node.sh tools/system/main.ts
import { ensureSystem } from './ensure.ts';
import { TEST_PACKAGES } from './packages.ts';

const outcome = await ensureSystem({ log: console.error, also: TEST_PACKAGES });
console.log(outcome.ok ? 'The system packages are in place.' : `Not set up: ${outcome.reason}.`);
process.exitCode = outcome.ok ? 0 : 1;
