/** Keeps a view of all volumes up to date, whatever happens to the connection. */
import { connect, type Volume } from '@pileus/sdk';

const cloud = connect({ url: process.env.PILEUS_URL ?? 'http://127.0.0.1:7420', apiKey: process.env.PILEUS_KEY ?? '' });

const view = new Map<string, Volume>();
for await (const event of cloud.volumes.follow()) {
  if (event.type === 'listed') {
    view.clear();
    for (const volume of event.rows) view.set(volume.id, volume);
    console.log(`${view.size} volumes`);
    void cloud.volumes.create({ name: 'watched', sizeBytes: 1024 ** 2 }).wait();
  } else if (event.type === 'deleted') view.delete(event.id);
  else {
    view.set(event.id, event.row);
    console.log(`${event.row.name} is ${event.row.state}`);
    if (event.row.state === 'available') break;
  }
}
await cloud.volumes.delete('watched').wait();
