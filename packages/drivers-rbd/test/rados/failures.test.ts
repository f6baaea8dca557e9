import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { assert, expect } from 'chai';
import { CephCluster } from '../../../../tools/system/ceph-cluster.ts';
import { AbortedError, type ClusterOptions, ConnectionLostError, RadosCluster, TimeoutError } from '../../src/rados/index.ts';
import { all, failure, isRunning, refusal, untilGone } from './outcomes.ts';

const MIB = 2 ** 20;
const KILLS = process.env.PILEUS_FULL === '1' ? 60 : 6;
const OWNER = fileURLToPath(new URL('owner-child.ts', import.meta.url));

describe('a cluster that fails', function () {
  this.timeout(300_000);
  let ceph: CephCluster;
  let options: ClusterOptions;

  before(async () => {
    ceph = await CephCluster.start({ store: 'memstore' });
    options = { monitors: ceph.monitors, user: ceph.admin.name, key: ceph.admin.key, callTimeoutMs: 120_000 };
  });
  after(async () => {
    await ceph?.[Symbol.asyncDispose]();
  });

  function freeze(): Disposable {
    for (const daemon of [ceph.monitor, ceph.osd(0)]) daemon.freeze();
    return {
      [Symbol.dispose]: () => {
        for (const daemon of [ceph.monitor, ceph.osd(0)]) daemon.thaw();
      },
    };
  }

  it('frozen, delays neither another cluster nor this process', async () => {
    await using other = await CephCluster.start({ store: 'memstore' });
    await using frozen = RadosCluster.open({ ...options, inFlight: 16 });
    await using healthy = RadosCluster.open({
      monitors: other.monitors,
      user: other.user.name,
      key: other.user.key,
      callTimeoutMs: 120_000,
    });
    await Promise.all([frozen.info(), healthy.info()]);
    const gone = new AbortController();
    let ended = 0;
    {
      using _ = freeze();
      // More than there are threads in any pool of this process or the other.
      const hanging = Array.from({ length: 64 }, async (_item, index) => {
        const how = { signal: gone.signal, timeoutMs: 1_000_000 };
        const error = await failure(frozen.pool('rbd').create(`frozen-${index}`, { sizeBytes: MIB }, how));
        ended += 1;
        return error;
      });
      for (let index = 0; index < 20; index += 1) {
        await healthy.pool('rbd').create('well', { sizeBytes: MIB });
        await stat('/');
        await healthy.pool('rbd').remove('well');
      }
      expect(ended).to.equal(0);
      gone.abort(new Error('enough'));
      const errors = await Promise.all(hanging);
      for (const error of errors) assert.instanceOf(error, AbortedError);
      expect(new Set(errors.map((error) => (error as AbortedError).outcome))).to.deep.equal(new Set(['unknown', 'not_sent']));
    }
    await frozen.pool('rbd').create('thawed', { sizeBytes: MIB });
    await frozen.pool('rbd').remove('thawed');
  });

  it('frozen in a call, has its process killed at the deadline and another in its place', async () => {
    await using cluster = RadosCluster.open({ ...options, inFlight: 2 });
    const pool = cluster.pool('rbd');
    await cluster.info();
    const [first = 0] = cluster.processIds;
    {
      using _ = freeze();
      const errors = await Promise.all(
        Array.from({ length: 4 }, (_item, index) => failure(pool.create(`hung-${index}`, { sizeBytes: MIB }, { timeoutMs: 2_000 }))),
      );
      for (const error of errors) assert.instanceOf(error, TimeoutError);
      expect(errors.map((error) => (error as TimeoutError).outcome)).to.deep.equal(['unknown', 'unknown', 'not_sent', 'not_sent']);
      await untilGone(first);
    }
    await pool.create('after', { sizeBytes: MIB });
    expect(cluster.processIds).to.have.lengthOf(1).and.to.not.include(first);
    for await (const { name } of pool.images()) await removeWhenReleased(cluster, name);
  });

  it('lets calls in flight end that are in time, when one is late', async () => {
    await using cluster = RadosCluster.open(options);
    await cluster.info();
    let slow: Promise<unknown>;
    {
      using _ = freeze();
      slow = cluster.pool('rbd').page({ timeoutMs: 200_000 });
      assert.instanceOf(await failure(cluster.pool('rbd').page({ timeoutMs: 1_000 })), TimeoutError);
    }
    expect(await slow).to.have.property('isLast', true);
  });

  it('that stays frozen has but so many processes, however patient calls are', async () => {
    await using cluster = RadosCluster.open(options);
    await cluster.info();
    const pool = cluster.pool('rbd');
    const patient: Promise<unknown>[] = [];
    ceph.osd(0).freeze();
    try {
      for (let round = 0; round < 6; round += 1) {
        // The monitor answers: so there is a connection, and the call is on its way.
        await cluster.info();
        patient.push(failureOrDone(pool.page({ timeoutMs: 200_000 })));
        assert.instanceOf(await failure(pool.page({ timeoutMs: 200 })), TimeoutError);
      }
      for (const early of await Promise.all(patient.slice(0, 2)))
        expect(early).to.be.instanceOf(ConnectionLostError).with.property('outcome', 'unknown');
      expect(cluster.processIds.length).to.be.at.most(5);
    } finally {
      ceph.osd(0).thaw();
    }
    expect(await patient[5]).to.equal(undefined);
  });

  it('says of calls in flight that their outcome is unknown when the process dies, and goes on in another', async () => {
    await using cluster = RadosCluster.open(options);
    await cluster.info();
    const [first = 0] = cluster.processIds;
    let lost: Promise<unknown>;
    {
      using _ = freeze();
      lost = failure(cluster.pool('rbd').page());
      process.kill(first, 'SIGKILL');
      const error = await lost;
      assert.instanceOf(error, ConnectionLostError);
      expect(error.outcome).to.equal('unknown');
      expect(error.message).to.contain('SIGKILL');
    }
    expect((await cluster.pool('rbd').page()).isLast).to.equal(true);
  });

  it('that does not know the key says so at once, without the key in any word', async () => {
    const key = Buffer.alloc(28, 1).toString('base64').replace(/^..../, 'AQAA');
    const wrong = Buffer.from(options.key, 'base64');
    wrong[20] = (wrong[20] ?? 0) ^ 0xff;
    for (const [user, bad] of [
      ['admin', wrong.toString('base64')],
      ['nobody', options.key],
      ['admin', key],
    ] as const) {
      await using cluster = RadosCluster.open({ ...options, user, key: bad });
      let isKept = false;
      // For a while it is not tried again. That is a second, which a busy machine may lose between two calls.
      for (let attempt = 0; attempt < 10 && !isKept; attempt += 1) {
        const refused = await refusal(cluster.pool('rbd').create('never', { sizeBytes: MIB }));
        expect(refused.call).to.equal('connect');
        expect(refused.code).to.be.oneOf(['EACCES', 'EINVAL']);
        expect(`${refused.message} ${refused.stack}`).to.not.contain(bad);
        isKept = (await refusal(cluster.info())) === refused;
      }
      expect(isKept, 'it is not tried again at once').to.equal(true);
    }
  });

  it('has its key in no argument and no variable of the process', async () => {
    await using cluster = RadosCluster.open(options);
    await cluster.info();
    const [pid = 0] = cluster.processIds;
    for (const file of ['cmdline', 'environ']) expect(await readFile(`/proc/${pid}/${file}`, 'latin1')).to.not.contain(options.key);
  });

  it('without a monitor refuses to connect in the time that it has, and goes on for those who are connected', async () => {
    await using connected = RadosCluster.open(options);
    await connected.pool('rbd').create('before', { sizeBytes: MIB });
    await ceph.monitor.kill();
    try {
      const { processIds } = connected;
      assert.instanceOf(await failure(connected.health({ timeoutMs: 500 })), TimeoutError);
      await connected.pool('rbd').create('meanwhile', { sizeBytes: MIB });
      expect(connected.processIds).to.deep.equal(processIds);
      await using late = RadosCluster.open({ ...options, connectTimeoutMs: 2_000 });
      const refused = await refusal(late.info());
      expect(refused).to.include({ call: 'connect', code: 'ETIMEDOUT' });
    } finally {
      await ceph.monitor.start();
    }
    for (const name of ['before', 'meanwhile']) await connected.pool('rbd').remove(name);
  });

  it('that shuts this client out is connected to anew', async () => {
    await using cluster = RadosCluster.open(options);
    await using admin = RadosCluster.open(options);
    const pool = cluster.pool('rbd');
    await pool.create('shared', { sizeBytes: MIB });
    const [address = ''] = (await cluster.info()).addresses;
    await admin.blocklist.add(address, 3_600_000);
    // Until this client has heard of it, its calls may still go well.
    for (;;) {
      const error = await pool
        .image('shared')
        .metadata.set('key', 'value')
        .then(
          () => undefined,
          (cause: unknown) => cause,
        );
      if (error === undefined) continue;
      expect(error).to.include({ code: 'ESHUTDOWN' });
      break;
    }
    await pool.image('shared').metadata.set('key', 'value');
    expect((await cluster.info()).addresses).to.not.include(address);
    await admin.blocklist.remove(address);
    await removeWhenReleased(cluster, 'shared');
  });

  it('whose process is killed in a removal, has nothing left after another', async () => {
    await using cluster = RadosCluster.open(options);
    const pool = cluster.pool('rbd');
    for (let round = 0; round < KILLS; round += 1) {
      await pool.create('doomed', { sizeBytes: 64 * MIB });
      const removal = failureOrDone(pool.remove('doomed'));
      await new Promise((resolve) => setTimeout(resolve, (round % 12) * 4));
      for (const pid of cluster.processIds) process.kill(pid, 'SIGKILL');
      const outcome = await removal;
      if (outcome !== undefined) expect(outcome).to.be.instanceOf(ConnectionLostError).with.property('outcome', 'unknown');
      await removeWhenReleased(cluster, 'doomed');
      expect((await all(pool.images())).map(({ name }) => name)).to.deep.equal([]);
      expect((await refusal(pool.remove('doomed'))).code).to.equal('ENOENT');
    }
  });

  it('ends its process with the process that started it, also when that is killed', async () => {
    const owner = spawn(process.execPath, [...process.execArgv, OWNER], { stdio: ['pipe', 'pipe', 'inherit'] });
    owner.stdin.end(JSON.stringify(options));
    const ended = once(owner, 'exit').then(([code]) => expect.fail(`the owner has ended with ${code}`));
    const [line] = (await Promise.race([once(owner.stdout, 'data'), ended])) as [Buffer];
    const pid = Number(line.toString());
    expect(await isRunning(pid)).to.equal(true);
    owner.kill('SIGKILL');
    await ended.catch(() => {});
    await untilGone(pid);
  });

  it('closed, refuses further calls and leaves no process', async () => {
    const cluster = RadosCluster.open(options);
    await cluster.info();
    const [pid = 0] = cluster.processIds;
    await cluster.close();
    expect(await isRunning(pid)).to.equal(false);
    const error = await failure(cluster.info());
    assert.instanceOf(error, ConnectionLostError);
    expect(error.outcome).to.equal('not_sent');
  });
});

const failureOrDone = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Again where a process was killed that nobody had missed yet. The watch of a client that was killed lives on for half a minute, unless it is shut out. */
async function removeWhenReleased(cluster: RadosCluster, name: string): Promise<void> {
  for (;;) {
    const error = await failureOrDone(cluster.pool('rbd').remove(name));
    if (error === undefined || (error instanceof Error && 'code' in error && error.code === 'ENOENT')) return;
    if (error instanceof ConnectionLostError) continue;
    if (!(error instanceof Error && 'watchers' in error && Array.isArray(error.watchers))) throw error;
    for (const { address } of error.watchers as readonly { readonly address: string }[]) await cluster.blocklist.add(address, 60_000);
  }
}
