import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ensureSystem } from '../system/ensure.ts';
import { TEST_PACKAGES } from '../system/packages.ts';
import { type Asked, askedFor, USAGE } from './arguments.ts';
import { BUDGETS, type Group, LANES } from './groups.ts';
import { type Running, runningWith } from './left-behind.ts';

/**
 * The proof: static checks, then every group of tests, lanes side by side. `--full` lets tests run their long form (`PILEUS_FULL=1`); `--only NAME` runs one
 * group; `CI` makes a skip a failure.
 */
const { full, only } = asked();
/** What takes longer hangs. */
const groupMinutesMax = full ? 80 : 15;
/** After its last test a group has so long to end by itself: what keeps it longer is left behind. */
const endSecondsMax = 120;
const root = new URL('../../', import.meta.url).pathname;

/** Ends the process where no tests are asked for. */
function asked(): Asked {
  try {
    const options = askedFor(process.argv.slice(2));
    if (!options.help) return options;
    process.stdout.write(USAGE);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`test: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

interface Failure {
  readonly title: string;
  readonly file?: string;
  readonly error: string;
}
interface Totals {
  passed: number;
  failed: number;
  skipped: number;
  failures?: readonly Failure[];
}
interface Result extends Totals {
  readonly name: string;
  readonly seconds: number;
  readonly note?: string;
}

function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
  const [command = '', ...rest] = argv;
  const child = spawn(command, rest, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  return ended(child);
}

const ended = (child: ChildProcess): Promise<number> =>
  new Promise((resolve) => {
    child.on('exit', (code) => resolve(code ?? 1));
    child.on('error', () => resolve(1));
  });

/** Process groups of tests that run, and what ends all that they have started. */
const running = new Map<number, () => void>();

/** A process, or by a negative number a group of them. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

interface Limited {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Whether its last test is over. */
  readonly isTold: () => boolean;
  /** Ends what it has started. */
  readonly end: () => void;
}
interface Ended {
  readonly code: number;
  /** Why it did not end by itself. */
  readonly late?: string;
}

/** As a leader of its own process group, which is ended as a whole when the time is up, all of it or that after `isTold`. */
async function runLimited({ argv, env, isTold, end }: Limited): Promise<Ended> {
  const [command = '', ...rest] = argv;
  const child = spawn(command, rest, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env }, detached: true });
  const { pid } = child;
  if (pid === undefined) return { code: await ended(child) };
  let late: string | undefined;
  running.set(pid, end);
  const cut = (why: string) => {
    late ??= why;
    end();
    kill(-pid);
  };
  const timer = setTimeout(() => cut(`was ended after ${groupMinutesMax} minutes`), groupMinutesMax * 60_000);
  let secondsTold = 0;
  const looking = setInterval(() => {
    if (isTold()) secondsTold += 1;
    if (secondsTold > endSecondsMax) cut(`did not end in ${endSecondsMax} seconds after its last test`);
  }, 1_000);
  const code = await ended(child);
  clearTimeout(timer);
  clearInterval(looking);
  running.delete(pid);
  return { code, ...(late === undefined ? {} : { late }) };
}

/** Tells what of a group runs, and ends it: the group's output would stay open for as long as that lives. */
function sweep(group: string, left: readonly Running[]): void {
  for (const { pid, words } of left) {
    console.log(`[${group}]   still running: ${pid} ${words.slice(0, 300)}`);
    kill(pid);
  }
}

// A group of its own does not hear the terminal.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    for (const [pid, end] of running) {
      end();
      kill(-pid);
    }
    process.exit(1);
  });

async function check(name: string, argv: readonly string[]): Promise<Result> {
  const startMs = performance.now();
  const code = await run(argv);
  return { name, passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, seconds: (performance.now() - startMs) / 1000 };
}

async function runGroup(group: Group, scratch: string): Promise<Result> {
  const files = globSync(group.files, { cwd: root, exclude: group.except ?? [] }).sort();
  const totalsPath = join(scratch, `${group.name}.json`);
  const startMs = performance.now();
  if (files.length === 0) return { name: group.name, passed: 0, failed: 1, skipped: 0, seconds: 0, note: 'no test files' };
  const node = [`${root}node_modules/.bin/node`, '--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'];
  const mocha = [`${root}node_modules/mocha/bin/mocha.js`, '--reporter', `${root}tools/test/reporter.cjs`, ...files];
  const env = { PILEUS_TEST_TOTALS: totalsPath, PILEUS_TEST_GROUP: group.name, PILEUS_FULL: full ? '1' : '' };
  const end = () => sweep(group.name, runningWith(`PILEUS_TEST_TOTALS=${totalsPath}`));
  const { code, late } = await runLimited({ argv: [...node, ...mocha], env, isTold: () => existsSync(totalsPath), end });
  end();
  const seconds = (performance.now() - startMs) / 1000;
  const totals = readTotals(totalsPath);
  // A run that died without telling, or failed without a failed test (a hook, a leak), is a failure of its own.
  if (late !== undefined || totals === undefined || (code !== 0 && totals.failed === 0))
    return {
      name: group.name,
      passed: totals?.passed ?? 0,
      failed: Math.max(1, totals?.failed ?? 0),
      skipped: totals?.skipped ?? 0,
      seconds,
      ...(totals?.failures === undefined ? {} : { failures: totals.failures }),
      note: late ?? `ended with code ${code}`,
    };
  return { name: group.name, ...totals, seconds };
}

function readTotals(path: string): Totals | undefined {
  try {
    const { passed, failed, skipped, failures } = JSON.parse(readFileSync(path, 'utf8')) as Totals;
    return { passed, failed, skipped, ...(failures === undefined ? {} : { failures }) };
  } catch {
    return undefined;
  }
}

async function runLane(groups: readonly Group[], scratch: string): Promise<Result[]> {
  const results: Result[] = [];
  for (const group of groups) results.push(await runGroup(group, scratch));
  return results;
}

async function checks(): Promise<Result[]> {
  const bin = (name: string) => `${root}node_modules/.bin/${name}`;
  return [
    await check('types', [bin('tsc'), '-p', 'tsconfig.check.json']),
    await check('style', ['sh', 'tools/biome.sh', 'check', '.']),
    await check('lint', ['sh', 'tools/node.sh', 'tools/lint/main.ts']),
    await check('generated', ['sh', 'tools/node.sh', 'tools/generate/main.ts', '--check']),
  ];
}

/** Once more, last: what came up in the midst of three lanes is far above, or was cut off by whoever keeps the end of a long output. */
function tellFailures(results: readonly Result[]): void {
  for (const { name, failures = [] } of results)
    for (const { title, file, error } of failures)
      console.log(
        `\n[${name}] FAILED: ${title}\n  ${file === undefined ? '' : relative(root, file)}\n  ${error.slice(0, 4000).replaceAll('\n', '\n  ')}`,
      );
}

function report(checked: readonly Result[], tested: readonly Result[], skippedWhy: string | undefined): boolean {
  const results = [...checked, ...tested];
  const sum = (key: 'passed' | 'failed' | 'skipped') => results.reduce((total, result) => total + result[key], 0);
  tellFailures(tested);
  console.log('\ngroup           passed  failed  skipped  seconds');
  for (const { name, passed, failed, skipped, seconds, note } of results)
    console.log(
      `${name.padEnd(14)}${String(passed).padStart(8)}${String(failed).padStart(8)}${String(skipped).padStart(9)}${seconds.toFixed(1).padStart(9)}${note === undefined ? '' : `  ${note}`}`,
    );
  const checkSeconds = checked.reduce((total, result) => total + result.seconds, 0);
  for (const budget of BUDGETS) {
    const seconds = results
      .filter((result) => budget.groups.some((group) => group.name === result.name))
      .reduce((total, result) => total + result.seconds, 0);
    // Lanes run side by side, whoever's groups they have: what a group takes of the whole is its part of one lane.
    console.log(`${budget.name}: ${((checkSeconds + seconds / LANES.length) / 60).toFixed(1)} of ${budget.minutes} minutes`);
  }
  if (skippedWhy !== undefined) console.log(`The groups on real components were skipped: ${skippedWhy}`);
  const failedOnSkip = process.env.CI !== undefined && sum('skipped') > 0;
  if (failedOnSkip) console.log('Skipped tests count as failures here.');
  console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
  return sum('failed') === 0 && !failedOnSkip;
}

const scratch = mkdtempSync(join(tmpdir(), 'pileus-test-'));
try {
  const system = await ensureSystem({ log: (line) => console.log(line), also: TEST_PACKAGES });
  const groups = BUDGETS.flatMap((budget) => budget.groups).filter((group) => only === undefined || group.name === only);
  const runnable = groups.filter((group) => system.ok || !group.real);
  const skipped = groups
    .filter((group) => !runnable.includes(group))
    .map((group): Result => ({ name: group.name, passed: 0, failed: 0, skipped: 1, seconds: 0, note: 'skipped' }));
  const results = only === undefined ? await checks() : [];
  const lanes = await Promise.all(
    LANES.map((lane) =>
      runLane(
        runnable.filter((group) => group.lane === lane),
        scratch,
      ),
    ),
  );
  process.exitCode = report(results, [...lanes.flat(), ...skipped], system.ok ? undefined : system.reason) ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
