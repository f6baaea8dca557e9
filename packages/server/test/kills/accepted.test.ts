import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { type Answer, ServerProcess } from './server-process.ts';

/** Of each kind; in full a thousand in all. */
const EACH = 10;
const KILLS = process.env.PILEUS_FULL === '1' ? 50 : 1;
const SECTOR = Buffer.alloc(512, 7);

/** Gives images, to none before it is opened. */
class HeldSource {
  readonly #server: Server = createServer((_request, response) => {
    if (this.#isOpen) response.end(SECTOR);
    else this.#waiting.push(response);
  });
  #waiting: ServerResponse[] = [];
  #isOpen = false;

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  hold(): void {
    this.#isOpen = false;
  }

  open(): void {
    this.#isOpen = true;
    for (const response of this.#waiting.splice(0)) response.end(SECTOR);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe('server: killed as soon as it has accepted', () => {
  const source = new HeldSource();
  let sourceUrl: string;
  let server: ServerProcess;

  before(async () => {
    sourceUrl = await source.listen();
    server = await ServerProcess.start({ images: { sources: [sourceUrl] } });
  });
  after(async () => {
    await server?.close();
    source.close();
  });

  /** Asked once: what is not answered was not accepted, and fails the test. */
  async function accepted(path: string, body: object): Promise<Accepted> {
    const response = await server.fetch(path, { method: 'POST', body: JSON.stringify(body) });
    const json = (await response.json()) as Answer;
    expect(response.status, JSON.stringify(json)).to.equal(202);
    return { operationId: json.operationId, resource: `${path}/${json.resourceId}` };
  }

  /** Images are all under way when the server dies, since their content is held back; of zones nobody knows. */
  const round = (kill: number) => {
    const names = Array.from({ length: EACH }, (_, index) => `at-${kill}-${index}`);
    return Promise.all([
      Promise.all(names.map((name) => accepted('/v1/images', { name, sourceUrl: `${sourceUrl}${name}` }))),
      Promise.all(names.map((name) => accepted('/v1/zones', { name }))),
    ]);
  };

  const operation = async (id: string, waitSeconds = 0): Promise<Answer> => {
    const { status, json } = await server.ask(`/v1/operations/${id}?waitSeconds=${waitSeconds}`);
    expect(status, `operation ${id}: ${JSON.stringify(json)}`).to.equal(200);
    return json;
  };
  async function ended(id: string): Promise<Answer> {
    for (;;) {
      const found = await operation(id, 20);
      if (['succeeded', 'failed', 'cancelled'].includes(found.state)) return found;
    }
  }

  it(`finds every operation again and brings it to its end, ${KILLS * EACH * 2} of ${KILLS * EACH * 2}`, async function () {
    this.timeout(1_800_000);
    const ends = new Map<string, string>();
    for (let kill = 1; kill <= KILLS; kill += 1) {
      source.hold();
      const [images, zones] = await round(kill);
      await server.kill();
      await server.begin();
      for (const { operationId } of images) expect((await operation(operationId)).state).to.be.oneOf(['queued', 'running']);
      source.open();
      for (const { operationId, resource } of [...images, ...zones]) {
        const { state, error } = await ended(operationId);
        ends.set(operationId, `${state}${error === undefined ? '' : ` ${JSON.stringify(error)}`}`);
        expect((await server.ask(resource)).json).to.have.property('state', 'available');
      }
    }
    expect([...ends.values()].filter((end) => end !== 'succeeded')).to.deep.equal([]);
    expect(ends.size).to.equal(KILLS * EACH * 2);
  });
});

interface Accepted {
  readonly operationId: string;
  /** Its path. */
  readonly resource: string;
}
