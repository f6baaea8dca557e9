import { appendFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { groundOf, type History, type HistoryOptions, playHistory } from './history.ts';
import { told } from './plan.ts';
import { shrink } from './shrink.ts';

/**
 * `npm run simulate -- --seeds N --hosts H [--first-seed S] [--clients C] [--seconds T] [--only ID,…] [--plays P] [--plain] [--networks | --no-networks] [--keep-going] [--failed FILE]`: plays
 * histories until one fails; then leaves out of that one what it does not need to fail, playing P others at most, and says how to play what is left. With
 * `--keep-going` it plays them all, and shrinks the first alone. Ends with a line that sums up, exit code 1 where one has failed, and 2 for an argument that is none.
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
    networks: { type: 'boolean' },
    'keep-going': { type: 'boolean', default: false },
    failed: { type: 'string' },
  },
  allowNegative: true,
});
/** Those of every other seed have VPCs, unless all or none are to. */
const hasNetworks = (seed: number): boolean => values.networks ?? (!values.plain && seed % 2 === 0);
const [seeds, hosts, firstSeed, seconds, plays] = (['seeds', 'hosts', 'first-seed', 'seconds', 'plays'] as const).map((name) =>
  Number(values[name]),
) as [number, number, number, number, number];
for (const [name, value] of Object.entries({ seeds, hosts, 'first-seed': firstSeed, seconds, plays }))
  if (!Number.isSafeInteger(value) || value < 0) {
    console.error(`simulate: --${name} takes a whole number, not ${String(values[name as 'seeds'])}`);
    process.exit(2);
  }
const only = values.only === undefined ? {} : { only: new Set(values.only.split(',').map(Number)) };
const clients = values.clients === undefined ? {} : { clients: Number(values.clients) };

const counted = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');

/** How the history is played again: the whole of it, or these of its events. */
function command(options: HistoryOptions, { only }: Pick<HistoryOptions, 'only'> = options): string {
  const ground = groundOf(options);
  const fixed = `--first-seed ${ground.seed} --seeds 1 --hosts ${ground.hosts} --clients ${ground.clients} --seconds ${ground.rageMs / 1000}`;
  const more = `${ground.further ? '' : ' --plain'}${values.networks === undefined ? '' : ground.networks ? ' --networks' : ' --no-networks'}`;
  return `npm run simulate -- ${fixed}${more}${only === undefined ? '' : ` --only ${[...only].join(',')}`}`;
}

async function explain(options: HistoryOptions, failing: History): Promise<void> {
  console.log(`\n${failing.lastLines.join('\n')}\n\nseed ${failing.seed} fails:\n  ${failing.problems.join('\n  ')}`);
  if (plays === 0) return;
  const { only: ids, history, plays: played, isMinimal } = await shrink(() => options, failing, plays);
  console.log(
    `\nof ${failing.events.length} events these ${ids.length} are left after ${played} plays${isMinimal ? '; none of them can go' : ''}:`,
  );
  console.log(history.events.map((event) => `  ${told(event)}`).join('\n'));
  console.log(`\nit fails with:\n  ${history.problems.join('\n  ')}\n\nplay it again: ${command(options, { only: new Set(ids) })}`);
}

/** One that fails by throwing has failed like any other: the others are played all the same. */
async function problemsOf(options: HistoryOptions): Promise<{ readonly history?: History; readonly problems: readonly string[] }> {
  try {
    const history = await playHistory(options);
    return { history, problems: history.problems };
  } catch (error) {
    return { problems: [`threw ${error instanceof Error ? error.stack : String(error)}`] };
  }
}

const beganMs = performance.now();
const failed: number[] = [];
let operations = 0;
let kills = 0;
let played = 0;
for (let seed = firstSeed; seed < firstSeed + seeds && (failed.length === 0 || values['keep-going']); seed += 1) {
  const seedBeganMs = performance.now();
  const options: HistoryOptions = {
    seed,
    hosts,
    ...clients,
    rageMs: seconds * 1000,
    further: !values.plain,
    networks: hasNetworks(seed),
    ...only,
  };
  const { history, problems } = await problemsOf(options);
  played += 1;
  const took = ((performance.now() - seedBeganMs) / 1000).toFixed(1);
  if (history !== undefined) {
    operations += history.operations;
    for (const [trouble, count] of Object.entries(history.troubles)) if (trouble.startsWith('kill.')) kills += count;
    console.log(
      `seed ${seed}: ${history.operations} operations (${counted(history.outcomes)}); ${counted(history.troubles)}; ${history.rowsRead} rows read, ${history.eventsTaken} events told, ${history.checks} checks; ${took} s; ${history.hash}`,
    );
  }
  if (problems.length === 0) continue;
  failed.push(seed);
  // Written at once: a night that is broken off has told of those that it has found.
  if (values.failed !== undefined) await appendFile(values.failed, `${JSON.stringify({ seed, problems, again: command(options) })}\n`);
  if (history === undefined) console.log(`\nseed ${seed} fails:\n  ${problems.join('\n  ')}`);
  else if (failed.length === 1) await explain(options, history);
  else console.log(`\nseed ${seed} fails:\n  ${problems.join('\n  ')}`);
}
const tookSeconds = Math.round((performance.now() - beganMs) / 1000);
const named = failed.length === 0 ? '' : ` (${failed.join(', ')})`;
console.log(
  `${played} of ${seeds} seeds played from ${firstSeed}, ${operations} operations, ${kills} kills, ${failed.length} failed${named}; ${tookSeconds} s; next: --first-seed ${firstSeed + played}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
