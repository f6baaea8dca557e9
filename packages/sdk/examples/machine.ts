/** Makes a machine with a second disk, waits for it with its progress, and takes everything down again. */
import { connect } from '@pileus/sdk';

const cloud = connect({ url: process.env.PILEUS_URL ?? 'http://127.0.0.1:7420', apiKey: process.env.PILEUS_KEY ?? '' });

const image = await cloud.images.get('debian');
const network = await cloud.networks.get('lan');

const accepted = await cloud.instances.create({
  name: 'web-1',
  instanceType: 'small',
  imageId: image.id,
  nics: [{ networkId: network.id }],
});
console.log(`${accepted.action} ${accepted.id} is accepted: it will end, whatever happens`);

const machine = await accepted.wait({ onProgress: ({ percent, lastStep }) => console.log(`${percent} % ${lastStep ?? ''}`) });
console.log(`${machine.name} is ${machine.state} with ${machine.vcpus} processor`);

const disk = await cloud.volumes.create({ name: 'data', sizeBytes: 1024 ** 3, hostId: machine.hostId }).wait();
await cloud.instances.attachVolume(machine.id, { volumeId: disk.id }).wait();
for await (const volume of cloud.volumes.list({ where: { instanceId: machine.id } })) console.log(`${volume.name}: ${volume.state}`);

await cloud.instances.detachVolume(machine.id, { volumeId: disk.id }).wait();
await cloud.volumes.delete(disk.id).wait();
await cloud.instances.delete(machine.id).wait();
console.log('all gone');
