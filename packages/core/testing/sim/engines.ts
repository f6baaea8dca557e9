import { SqliteEngine } from '../../src/sqlite/engine.ts';

/** What has been used and is kept for the next history. A cloud has some hundred tables with their indexes: making them takes longer than most histories. */
const idle: SqliteEngine[] = [];
/** Those of clouds that live at once, as a test has them. */
const IDLE_MAX = 4;

/** An empty store in memory. */
export function takeEngine(): SqliteEngine {
  const engine = idle.pop();
  // Only now: whatever of the history before was still under way is over.
  engine?.empty();
  return engine ?? new SqliteEngine({ path: ':memory:', incarnation: 'simulated' });
}

/** Whoever gives it back uses it no more. */
export function giveBack(engine: SqliteEngine): void {
  if (idle.length < IDLE_MAX) idle.push(engine);
  else engine.close();
}
