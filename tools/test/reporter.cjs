// What the runner reads of a mocha run: dots and failures for people as they come, totals as JSON for the runner.
const { writeFileSync } = require('node:fs');
const { inspect } = require('node:util');
const Mocha = require('mocha');

const { EVENT_RUN_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING, EVENT_SUITE_BEGIN } = Mocha.Runner.constants;

const PART_CHARS = 1500;

/** Its beginning and its end: of a long one either may be what tells. */
const shortened = (text) => (text.length <= 2 * PART_CHARS ? text : `${text.slice(0, PART_CHARS)}\n…\n${text.slice(-PART_CHARS)}`);

/** An error with what it has for programs, what caused it, and what caused that. */
function told(error) {
  const words = [];
  for (let at = error; at !== undefined && at !== null && words.length < 4; at = at.cause)
    words.push(
      shortened(`${at.stack ?? at}${at.params === undefined ? '' : `\n  params: ${inspect(at.params, { depth: 5, breakLength: 160 })}`}`),
    );
  return words.join('\ncaused by: ');
}

module.exports = class TotalsReporter extends Mocha.reporters.Base {
  constructor(runner, options) {
    super(runner, options);
    const totals = { passed: 0, failed: 0, skipped: 0, failures: [], skips: [], slowest: [] };
    const group = process.env.PILEUS_TEST_GROUP ?? '';
    runner.on(EVENT_SUITE_BEGIN, (suite) => {
      if (suite.parent?.root) console.log(`[${group}] ${suite.title}`);
    });
    runner.on(EVENT_TEST_PASS, (test) => {
      totals.passed += 1;
      totals.slowest.push({ title: test.fullTitle(), ms: test.duration ?? 0 });
    });
    runner.on(EVENT_TEST_PENDING, (test) => {
      totals.skipped += 1;
      totals.skips.push(test.fullTitle());
      console.log(`[${group}]   skipped: ${test.fullTitle()}`);
    });
    runner.on(EVENT_TEST_FAIL, (test, error) => {
      totals.failed += 1;
      totals.failures.push({ title: test.fullTitle(), file: test.file, error: told(error) });
      console.log(`[${group}]   FAILED: ${test.fullTitle()}\n${told(error)}`);
    });
    runner.on(EVENT_RUN_END, () => {
      totals.slowest.sort((a, b) => b.ms - a.ms);
      totals.slowest.length = Math.min(totals.slowest.length, 5);
      writeFileSync(process.env.PILEUS_TEST_TOTALS, JSON.stringify(totals));
    });
  }
};
