/** What can go wrong, as exceptions and as values. */
import { connect, isPileusError } from '@pileus/sdk';

const cloud = connect({ url: process.env.PILEUS_URL ?? 'http://127.0.0.1:7420', apiKey: process.env.PILEUS_KEY ?? '' });

try {
  await cloud.instanceTypes.create({ name: 'huge', vcpus: 0, memoryBytes: 1024 ** 3 });
} catch (error) {
  if (!isPileusError(error)) throw error;
  console.log(`${error.code} at ${error.pointer}; retry: ${error.retry}`);
}

const found = await cloud.instances.get('nobody').safe();
console.log(found.ok ? found.data.name : found.error.code);

const image = await cloud.images.get('debian');
const outcome = await cloud.instances
  .create({ name: 'too-big', instanceType: 'small', imageId: image.id, rootVolume: { sizeBytes: 2 ** 52 } })
  .wait()
  .safe();
console.log(outcome.ok ? outcome.data.state : outcome.error.code);
