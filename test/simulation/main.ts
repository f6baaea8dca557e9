import { parseArgs } from 'node:util';
import { groundOf, type History, type HistoryOptions, playHistory } from './history.ts';
import { told } from './plan.ts';
import { shrink } from './shrink.ts';

/**
 * `npm run simulate -- --seeds N --hosts H [--first-seed S] [--clients C] [--seconds T] [--only ID,…] [--plays P] [--plain]`: plays histories until one fails; then leaves out
 * of that one what it does not need to fail, playing P others at most, and says how to play what is left.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    hosts: { type: 'string', default: '3' },
    'first-seed': { type: 'string', default: '1' },
    clients: { type: 'string' },
    seconds: { type: 'string', default: '180' },
    only: { type: 'string' },
    plays: { type: 'string', default: '200' },
    plain: { type: 'boolean', default: false },
  },
});
const [seeds, hosts, firstSeed, seconds, plays] = (['seeds', 'hosts', 'first-seed', 'seconds', 'plays'] as const).map((name) =>
  Number(values[name]),
) as [number, number, number, number, number];
const only = values.only === undefined ? {} : { only: new Set(values.only.split(',').map(Number)) };
const clients = values.clients === undefined ? {} : { clients: Number(values.clients) };

const counted = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');

function command(options: HistoryOptions, ids: readonly number[]): string {
  const ground = groundOf(options);
  const fixed = `--first-seed ${ground.seed} --seeds 1 --hosts ${ground.hosts} --clients ${ground.clients} --seconds ${ground.rageMs / 1000}`;
  return `npm run simulate -- ${fixed}${ground.further ? '' : ' --plain'} --only ${ids.join(',')}`;
}

async function explain(options: HistoryOptions, failing: History): Promise<void> {
  console.log(`\n${failing.lastLines.join('\n')}\n\nseed ${failing.seed} fails:\n  ${failing.problems.join('\n  ')}`);
  if (plays === 0) return;
  const { only: ids, history, plays: played, isMinimal } = await shrink(() => options, failing, plays);
  console.log(
    `\nof ${failing.events.length} events these ${ids.length} are left after ${played} plays${isMinimal ? '; none of them can go' : ''}:`,
  );
  console.log(history.events.map((event) => `  ${told(event)}`).join('\n'));
  console.log(`\nit fails with:\n  ${history.problems.join('\n  ')}\n\nplay it again: ${command(options, ids)}`);
}

let failed = 0;
for (let seed = firstSeed; seed < firstSeed + seeds && failed === 0; seed += 1) {
  const beganMs = performance.now();
  const options: HistoryOptions = { seed, hosts, ...clients, rageMs: seconds * 1000, further: !values.plain, ...only };
  const history = await playHistory(options);
  const took = ((performance.now() - beganMs) / 1000).toFixed(1);
  console.log(
    `seed ${seed}: ${history.operations} operations (${counted(history.outcomes)}); ${counted(history.troubles)}; ${history.rowsRead} rows read, ${history.eventsTaken} events told, ${history.checks} checks; ${took} s; ${history.hash}`,
  );
  if (history.problems.length === 0) continue;
  failed += 1;
  await explain(options, history);
}
process.exitCode = failed === 0 ? 0 : 1;
