import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import axios from 'axios';
import { expect } from 'chai';
import { firstValueFrom, take, toArray } from 'rxjs';
import { axiosTransport } from '../src/axios.ts';
import { observe } from '../src/rxjs.ts';
import { type Cloud, connect } from './fixture/generated/cloud.ts';
import { type Fixture, startFixture } from './fixture/server.ts';

describe('sdk: axios and rxjs', () => {
  let fixture: Fixture;
  let cloud: Cloud;
  before(async () => {
    fixture = await startFixture();
    const instance = axios.create({ baseURL: fixture.url });
    cloud = connect({ transport: axiosTransport(instance), apiKey: fixture.apiKey, retry: { baseMs: 5, maxMs: 50 } });
  });
  after(() => fixture.close());
  afterEach(() => fixture.faults.clear());

  it('does over axios what it does over fetch', async () => {
    fixture.faults.plan('POST', /instances$/, { type: 'reset-after' });
    const row = await cloud.instances.create({ name: 'over-axios', vcpus: 1, memoryBytes: 1 }).wait();
    expect(row.state).to.equal('running');
    expect(await cloud.instances.list().toArray()).to.have.length(1);
    const absent = await cloud.instances.get('nobody').safe();
    expect(!absent.ok && absent.error).to.include({ code: 'not_found', status: 404 });
  });

  it('streams over axios both ways', async () => {
    const { id } = await cloud.images.create({ name: 'image' }).wait();
    expect(await cloud.images.upload(id, new Uint8Array(5000))).to.include({ sizeBytes: 5000 });
    let sizeBytes = 0;
    for await (const chunk of cloud.images.download(id)) sizeBytes += chunk.length;
    expect(sizeBytes).to.equal(5000);
    for await (const change of cloud.images.watch({ after: '0.0' })) {
      expect(change.kind).to.equal('image');
      break;
    }
  });

  it('lets go of a stream over axios at once, though nothing more comes of it', async () => {
    const gone = Promise.withResolvers<void>();
    const server = createServer((_, response) => void response.on('close', gone.resolve).write('first'));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const transport = axiosTransport(axios.create({ baseURL: `http://127.0.0.1:${port}` }));
      const { stream } = await transport.request({ method: 'GET', path: '/', headers: {}, signal: new AbortController().signal });
      for await (const chunk of stream()) {
        expect(Buffer.from(chunk).toString()).to.equal('first');
        break;
      }
      await gone.promise;
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('is an observable that ends its connection when nobody listens', async () => {
    const changes = await firstValueFrom(observe((signal) => cloud.events({ after: '0.0', signal })).pipe(take(3), toArray()));
    expect(changes).to.have.length(3);
    const rows = await firstValueFrom(observe(() => cloud.instances.list()).pipe(toArray()));
    expect(rows.map(({ name }) => name)).to.deep.equal(['over-axios']);
  });

  it('hands errors to the observer', async () => {
    const stranger = connect({ url: fixture.url });
    const error = await firstValueFrom(observe((signal) => stranger.events({ signal }))).catch((reason) => reason);
    expect(error.code).to.equal('unauthenticated');
  });
});
