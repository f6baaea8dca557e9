import { nodeEnvironment } from '@pileus/core/node';
import { describeBackupStore } from '@pileus/core/testing';
import { AwsClient } from 'aws4fetch';
import { expect } from 'chai';
import { CephCluster } from '../../../../tools/system/ceph-cluster.ts';
import { s3Backups } from '../../src/backups/s3.ts';

const BUCKET = 'backups';
let cluster: CephCluster;

const settings = (more: Record<string, string> = {}) => {
  const { url, accessKey, secretKey } = cluster.s3;
  return { endpoint: url, bucket: BUCKET, accessKeyId: accessKey, secretAccessKey: secretKey, prefix: 'pileus/here/', ...more };
};
const open = (more: Record<string, string> = {}) => s3Backups.open({ storeId: 'store-1', settings: settings(more) });
const call = () => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 60_000 });

/** As its owner does it. */
async function bucket(method: 'PUT' | 'DELETE', name: string): Promise<void> {
  const { url, accessKey, secretKey } = cluster.s3;
  const owner = new AwsClient({ accessKeyId: accessKey, secretAccessKey: secretKey, region: 'us-east-1', service: 's3' });
  const { status } = await owner.fetch(`${url}/${name}`, { method });
  expect(status).to.be.within(200, 299);
}

describe('backups in buckets, on Ceph', function () {
  this.timeout(240_000);
  before(async () => {
    cluster = await CephCluster.start({ store: 'memstore', gateway: true });
    await bucket('PUT', BUCKET);
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  describeBackupStore('s3, on Ceph', {
    features: ['freeze'],
    timeouts: { frozenMs: 1500 },
    makeHarness: async () => ({
      environment: nodeEnvironment(),
      open: async () => open(),
      freeze: async () => cluster.gateway.freeze(),
      thaw: async () => cluster.gateway.thaw(),
      // What was sent to it earlier has been begun before what is asked of it now, on the same machine; which of its threads ends first is open.
      settle: async () => {
        await open().list({ prefix: 'any/' }, call());
        await cluster.untilGatewayRests();
      },
      close: async () => undefined,
    }),
  });

  it('tell that a bucket is not there, and never that an object is not', async () => {
    const store = open({ bucket: 'no-such-bucket' });
    for (const ask of [
      () => store.ensureStore(call()),
      () => store.get('a/b', call()),
      () => store.has('a/b', call()),
      () => store.delete('a/b', call()),
      () => store.list({ prefix: 'a/' }, call()),
    ]) {
      const error = await (ask() as Promise<unknown>).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(store.classify(error)).to.equal('unavailable');
    }
  });

  it('refuse who cannot prove who he is, and take nothing that is no address, bucket or folder', async () => {
    const store = open({ secretAccessKey: 'wrong' });
    const error = await store.ensureStore(call()).catch((reason: unknown) => reason);
    expect(store.classify(error)).to.equal('invalid');
    const right = { endpoint: 'https://s3.example.org', bucket: 'pileus', accessKeyId: 'who', secretAccessKey: 'what' };
    expect(s3Backups.settingFault?.(right)).to.equal(undefined);
    for (const wrong of [{ endpoint: 'ftp://a' }, { endpoint: 'a' }, { bucket: 'A/b' }, { prefix: 'a' }, { prefix: '../' }])
      expect(s3Backups.settingFault?.({ ...right, ...wrong })?.setting, JSON.stringify(wrong)).to.equal(Object.keys(wrong)[0]);
  });

  it('lie below their prefix alone', async () => {
    const [here, there] = [open(), open({ prefix: 'pileus/there/' })];
    await here.put('a/b', Buffer.from('here'), call());
    expect(await there.has('a/b', call())).to.equal(false);
    expect((await there.list({ prefix: 'a/' }, call())).keys).to.deep.equal([]);
    expect((await open({ prefix: '' }).list({ prefix: 'pileus/here/a/' }, call())).keys).to.deep.equal(['pileus/here/a/b']);
    await here.delete('a/b', call());
  });
});
