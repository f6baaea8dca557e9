import type { Post } from '@pileus/core';
import { type SimCloud, SimEnvironment } from '@pileus/core/testing';
import { assert } from 'chai';
import { CALLBACKS_URL, Deliveries, HOOKS_URL } from './deliveries.ts';
import type { Mirror, Row, Touched } from './mirror.ts';

const URL = `${HOOKS_URL}/1`;
const HOOK: Row = { id: 'hook', projectId: 'p', state: 'available', kinds: ['volume'], url: URL };

/** Somebody who listens to the volumes of a project, of which two have changed, one of them twice. */
function listening() {
  const environment = new SimEnvironment('deliveries');
  const problems: string[] = [];
  const deliveries = new Deliveries(
    () => ({ environment }) as unknown as SimCloud,
    (problem) => void problems.push(problem),
  );
  const touched = (table: string, id: string, revision: number, after: Row): Touched => ({
    ...{ table, id, revision, after, before: undefined, held: [] },
  });
  const volume = (id: string, revision: number, projectId = 'p') => touched('volume', id, revision, { projectId });
  deliveries.committed([touched('webhook', 'hook', 1, HOOK), volume('a', 2), volume('b', 2), volume('a', 3), volume('c', 4, 'other')]);
  const tell = async (kind: string, id: string, revision: number, { url = URL, eventId = `${revision}.${id}`, row = {} } = {}) => {
    const body = JSON.stringify({ data: { kind, id, revision, row } });
    const post: Post = { url, body, headers: { 'webhook-id': eventId }, publicOnly: true, signal: new AbortController().signal };
    await environment.complete(deliveries.post(post));
  };
  const mirror = { rows: () => new Map([['hook', HOOK]]) } as unknown as Mirror;
  return { deliveries, problems, tell, missing: () => deliveries.missing(mirror) };
}

describe('what histories say of events', () => {
  it('is nothing when each has come, in order for each resource, one of them again', async () => {
    const { tell, problems, missing } = listening();
    for (const [id, revision] of [
      ['a', 2],
      ['a', 3],
      ['b', 2],
      ['a', 2],
    ] as const)
      await tell('volume', id, revision);
    assert.deepEqual([...problems, ...missing()], []);
  });

  it('is that one was never told, and that nobody was called back', () => {
    const { deliveries, missing } = listening();
    deliveries.expect('operation-1', `${CALLBACKS_URL}/1`);
    assert.deepEqual(missing(), [
      `${URL} was never told of 3 changes, the first 2 volume a`,
      `${CALLBACKS_URL}/1 was never called back for operation operation-1`,
    ]);
  });

  it('is that one came too early, came as another, was not wanted, or is of an operation that goes on', async () => {
    const { deliveries, tell, problems } = listening();
    deliveries.expect('operation-1', `${CALLBACKS_URL}/1`);
    await tell('volume', 'a', 3);
    await tell('volume', 'a', 2);
    await tell('volume', 'a', 3, { eventId: 'another' });
    await tell('volume', 'c', 4);
    await tell('operation', 'operation-1', 5, { url: `${CALLBACKS_URL}/1` });
    assert.deepEqual(problems, [
      `${URL} is told of 2 volume a after a later change of it`,
      `${URL} is told of 3 volume a as 3.a and as another`,
      `${URL} is told of 4 volume c, which it did not want`,
      `${CALLBACKS_URL}/1 is called back with operation operation-1, which has not ended`,
    ]);
  });
});
