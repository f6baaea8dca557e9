import { scenarios } from '../../../core/test/cloud/scenarios.ts';
import { TestCluster } from './cluster.ts';
import { onceEach, whole } from './matrix-choices.ts';
import { MatrixPlays } from './matrix-plays.ts';

/** What a player is sent, and what he answers. */
export interface Asked {
  readonly scenario: string;
}
export type Told = Asked & ({ readonly played: number } | { readonly error: string });

/**
 * A process that plays matrices, as it is asked for them by name, on a PostgreSQL server of its own: reckoning takes most of the time of a history, so that one
 * process is not enough for all of them. Ends with whoever has started it.
 */
const cluster = await TestCluster.start({ inMemory: true });
const plays = new MatrixPlays(cluster, process.env.PILEUS_MATRICES === 'whole' ? whole : onceEach());
process.on('message', async ({ scenario: name }: Asked) => {
  process.send?.(await told(name));
});
process.once('disconnect', () => void plays.stop().then(() => cluster.stop()));
process.send?.('ready');

async function told(name: string): Promise<Told> {
  try {
    const scenario = scenarios.find((each) => each.name === name);
    if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
    return { scenario: name, played: await plays.play(scenario) };
  } catch (error) {
    return { scenario: name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
