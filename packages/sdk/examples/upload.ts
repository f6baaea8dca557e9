/** Uploads an image from a file, with its digest and its progress. */
import { createHash } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from '@pileus/sdk';

const cloud = connect({ url: process.env.PILEUS_URL ?? 'http://127.0.0.1:7420', apiKey: process.env.PILEUS_KEY ?? '' });
const file = process.argv[2] ?? 'disk.img';

const { id } = await cloud.images.create({ name: 'uploaded', guestOs: 'linux' }).wait();
const sha256 = createHash('sha256')
  .update(await readFile(file))
  .digest('hex');
const image = await cloud.images.upload(id, await openAsBlob(file), { sha256, onProgress: (sent) => console.log(`${sent} bytes`) });
console.log(`${image.name} is ${image.state}, ${image.format}, ${image.sizeBytes} bytes`);
await cloud.images.delete(id).wait();
