import { AwsClient } from 'aws4fetch';
import { expect } from 'chai';
import type { CephCluster } from '../../../tools/system/ceph-cluster.ts';

const BUCKET = 'cellar';

/** What a backup store is made of that is in a bucket of the cluster's gateway. */
export async function bucketStore(ceph: CephCluster) {
  const { url: endpoint, accessKey: accessKeyId, secretKey: secretAccessKey } = ceph.s3;
  const owner = new AwsClient({ accessKeyId, secretAccessKey, region: 'us-east-1', service: 's3' });
  expect((await owner.fetch(`${endpoint}/${BUCKET}`, { method: 'PUT' })).status).to.be.within(200, 299);
  return { name: 'bucket', driver: 's3', settings: { endpoint, bucket: BUCKET, accessKeyId }, secrets: { secretAccessKey } };
}
