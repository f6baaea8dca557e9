/** The least that could answer reads: a bare fastify, and a bare `JSON.stringify`. */
import fastify from 'fastify';
import { answerProbes } from './probes.ts';

let rows: readonly unknown[] = [];

const app = fastify();
app.get('/hello', async () => ({ hello: 'world' }));
app.get('/rows', async (_request, reply) => reply.type('application/json').send(JSON.stringify({ items: rows })));
await app.listen({ host: '127.0.0.1', port: 0 });

process.on('message', (message: { readonly rows?: readonly unknown[]; readonly stringify?: number }) => {
  if (message.rows !== undefined) rows = message.rows;
  if (message.stringify === undefined) return;
  const before = process.cpuUsage();
  let length = 0;
  for (let index = 0; index < message.stringify; index += 1) length += JSON.stringify({ items: rows }).length;
  const { user, system } = process.cpuUsage(before);
  process.send?.({ cpuMs: (user + system) / 1000 / message.stringify, length });
});
answerProbes();
process.send?.({ port: (app.server.address() as { port: number }).port });
