/**
 * A tenant that asks as much as he can, in a process of his own: `flood-child.ts URL KEY KIND CONNECTIONS`. Each connection asks again as soon as it is answered. Ends
 * with SIGTERM, and tells how often it was answered.
 */
import { Client } from './client.ts';

const [url = '', key = '', kind = '', connections = ''] = process.argv.slice(2);
const client = new Client(url, key);
let answered = 0;
let stopped = false;

async function ask(connection: number): Promise<void> {
  for (let index = 0; !stopped; index += 1) {
    const name = `flood-${process.pid}-${connection}-${index}`;
    const { status } =
      kind !== 'read'
        ? await client.ask('POST', '/v1/samples', JSON.stringify({ name, labels: {} }), kind === 'whole' ? { prefer: 'wait=60' } : {})
        : await client.ask('GET', '/v1/samples?limit=20');
    if (status >= 500) throw new Error(`${kind}: ${status}`);
    answered += 1;
  }
}

process.once('SIGTERM', () => {
  stopped = true;
});
await Promise.all(Array.from({ length: Number(connections) }, (_, connection) => ask(connection)));
process.send?.({ answered });
client.close();
process.disconnect?.();
