import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { fetchUrl } from '../../src/node/index.ts';

const routes: Readonly<Record<string, RequestListener>> = {
  '/public/image': (_request, response) => void response.end('content'),
  '/public/moved': (_request, response) => void response.writeHead(302, { location: 'image' }).end(),
  '/public/astray': (_request, response) => void response.writeHead(302, { location: '/private/secret' }).end(),
  '/public/signed': (_request, response) => void response.writeHead(302, { location: '/private/secret?signature=PLANTED#PLANTED' }).end(),
  '/public/nowhere': (_request, response) => void response.writeHead(302, { location: 'http://[PLANTED' }).end(),
  '/public/ill?signature=PLANTED': (_request, response) => void response.writeHead(503).end(),
  '/public/circle': (_request, response) => void response.writeHead(302, { location: '/public/circle' }).end(),
  '/public/ill': (_request, response) => void response.writeHead(503).end(),
  '/public/closed': (_request, response) => void response.writeHead(403).end(),
  '/public/short': (_request, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('some', () => response.destroy());
  },
  '/private/secret': (_request, response) => void response.end('secret'),
};

describe('fetching by URL', () => {
  let server: Server;
  let base = '';
  const asked: string[] = [];

  before(async () => {
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      const route = routes[request.url ?? ''];
      if (route === undefined) response.writeHead(404).end();
      else route(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => void server.close());

  const get = async (path: string, signal = new AbortController().signal): Promise<string> => {
    const parts: Uint8Array[] = [];
    try {
      for await (const part of await fetchUrl(base + path, { allowed: (url) => url.startsWith(`${base}/public/`), signal }))
        parts.push(part);
    } catch (error) {
      return `refused as ${(error as { readonly code?: string }).code ?? String(error)}`;
    }
    return Buffer.concat(parts).toString();
  };

  it('streams what is there, also over an allowed redirect', async () => {
    expect(await get('/public/image')).to.equal('content');
    expect(await get('/public/moved')).to.equal('content');
  });

  it('never asks for what is not allowed, wherever a redirect leads', async () => {
    asked.length = 0;
    expect(await get('/private/secret')).to.equal('refused as refused');
    expect(await get('/public/astray')).to.equal('refused as refused');
    expect(asked).to.deep.equal(['/public/astray']);
    expect(await get('/public/circle')).to.equal('refused as refused');
  });

  it('says what went wrong, and whether to try again', async () => {
    expect(await get('/public/nothing')).to.equal('refused as not_found');
    expect(await get('/public/ill')).to.equal('refused as unavailable');
    expect(await get('/public/closed')).to.equal('refused as refused');
    expect(await get('/public/short')).to.equal('refused as unavailable');
    expect(await get('/public/image', AbortSignal.abort())).to.equal('refused as unavailable');
  });

  it('never says what a query holds, of the URL or of where it leads', async () => {
    const messages = await Promise.all(
      ['/public/signed', '/public/nowhere', '/public/ill?signature=PLANTED', '/public/none?signature=PLANTED', '/private/x?PLANTED'].map(
        async (path) => {
          const signal = new AbortController().signal;
          const allowed = (url: string) => url.startsWith(`${base}/public/`);
          const error = await Promise.resolve(fetchUrl(base + path, { allowed, signal })).catch((cause: unknown) => cause as Error);
          return error instanceof Error ? error.message : 'nothing was refused';
        },
      ),
    );
    expect(messages.map((message) => message.replaceAll(base, ''))).to.deep.equal([
      '/public/signed leads to /private/secret, which images may not be imported from.',
      '/public/nowhere leads to what is no URL.',
      '/public/ill answers with status 503.',
      '/public/none answers with status 404.',
      '/private/x leads to /private/x, which images may not be imported from.',
    ]);
  });
});
