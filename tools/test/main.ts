import { type ChildProcess, spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureSystem } from '../system/ensure.ts';
import { TEST_PACKAGES } from '../system/packages.ts';
import { BUDGETS, type Group, LANES } from './groups.ts';

/**
 * The proof: static checks, then every group of tests, lanes side by side. `--full` lets tests run their long form (`PILEUS_FULL=1`); `--only NAME` runs one
 * group; `CI` makes a skip a failure.
 */
const full = process.argv.includes('--full');
const onlyAt = process.argv.indexOf('--only');
const only = onlyAt < 0 ? undefined : process.argv[onlyAt + 1];
/** What takes longer hangs. */
const groupMinutesMax = full ? 80 : 15;
const root = new URL('../../', import.meta.url).pathname;

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
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

/** Process groups of tests that run: what they have started ends with them. */
const running = new Set<number>();

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** As a leader of its own process group, which is ended as a whole when the time is up. */
async function runLimited(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<{ code: number; late: boolean }> {
  const [command = '', ...rest] = argv;
  const child = spawn(command, rest, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env }, detached: true });
  const { pid } = child;
  if (pid === undefined) return { code: await ended(child), late: false };
  let late = false;
  running.add(pid);
  const timer = setTimeout(() => {
    late = true;
    endGroup(pid);
  }, groupMinutesMax * 60_000);
  const code = await ended(child);
  clearTimeout(timer);
  running.delete(pid);
  return { code, late };
}

// A group of its own does not hear the terminal.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    for (const pid of running) endGroup(pid);
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
  const { code, late } = await runLimited([...node, ...mocha], {
    PILEUS_TEST_TOTALS: totalsPath,
    PILEUS_TEST_GROUP: group.name,
    PILEUS_FULL: full ? '1' : '',
  });
  const seconds = (performance.now() - startMs) / 1000;
  const totals = readTotals(totalsPath);
  // A run that died without telling, or failed without a failed test (a hook, a leak), is a failure of its own.
  if (late || totals === undefined || (code !== 0 && totals.failed === 0))
    return {
      name: group.name,
      passed: totals?.passed ?? 0,
      failed: Math.max(1, totals?.failed ?? 0),
      skipped: totals?.skipped ?? 0,
      seconds,
      note: late ? `was ended after ${groupMinutesMax} minutes` : `ended with code ${code}`,
    };
  return { name: group.name, ...totals, seconds };
}

function readTotals(path: string): Totals | undefined {
  try {
    const { passed, failed, skipped } = JSON.parse(readFileSync(path, 'utf8')) as Totals;
    return { passed, failed, skipped };
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

function report(checked: readonly Result[], tested: readonly Result[], skippedWhy: string | undefined): boolean {
  const results = [...checked, ...tested];
  const sum = (key: keyof Totals) => results.reduce((total, result) => total + result[key], 0);
  console.log('\ngroup           passed  failed  skipped  seconds');
  for (const { name, passed, failed, skipped, seconds, note } of results)
    console.log(
      `${name.padEnd(14)}${String(passed).padStart(8)}${String(failed).padStart(8)}${String(skipped).padStart(9)}${seconds.toFixed(1).padStart(9)}${note === undefined ? '' : `  ${note}`}`,
    );
  const checkSeconds = checked.reduce((total, result) => total + result.seconds, 0);
  for (const budget of BUDGETS) {
    const lanes = LANES.map((lane) =>
      results
        .filter((result) => budget.groups.some((group) => group.lane === lane && group.name === result.name))
        .reduce((total, result) => total + result.seconds, 0),
    );
    console.log(`${budget.name}: ${((checkSeconds + Math.max(...lanes)) / 60).toFixed(1)} of ${budget.minutes} minutes`);
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
