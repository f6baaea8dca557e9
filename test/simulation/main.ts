import { parseArgs } from 'node:util';
import { playHistory } from './history.ts';

/** `npm run simulate -- --seeds N --hosts H [--first-seed S] [--clients C] [--seconds T]`: plays histories until one fails, and says how to play that one again. */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    hosts: { type: 'string', default: '3' },
    'first-seed': { type: 'string', default: '1' },
    clients: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '180' },
  },
});
const [seeds, hosts, firstSeed, clients, seconds] = (['seeds', 'hosts', 'first-seed', 'clients', 'seconds'] as const).map((name) =>
  Number(values[name]),
) as [number, number, number, number, number];

let failed = 0;
for (let seed = firstSeed; seed < firstSeed + seeds && failed === 0; seed += 1) {
  const beganMs = performance.now();
  const history = await playHistory({ seed, hosts, clients, rageMs: seconds * 1000 });
  const took = ((performance.now() - beganMs) / 1000).toFixed(1);
  const told = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(', ');
  console.log(
    `seed ${seed}: ${history.operations} operations (${told(history.outcomes)}); ${told(history.troubles)}; ${took} s; ${history.hash}`,
  );
  if (history.problems.length === 0) continue;
  failed += 1;
  console.log(`\n${history.lastLines.join('\n')}\n\nseed ${seed} fails:\n  ${history.problems.join('\n  ')}`);
  console.log(
    `\nplay it again: npm run simulate -- --first-seed ${seed} --seeds 1 --hosts ${hosts} --clients ${clients} --seconds ${seconds}`,
  );
}
process.exitCode = failed === 0 ? 0 : 1;
