/** Asks the metadata service so many times at once, and prints what it answers. Run where the questions are to come from. */
import { Agent, request } from 'node:http';

const { host, path, method, headers, times, timeoutMs } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly times: number;
  readonly timeoutMs: number;
};
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

const ask = () =>
  new Promise<{ readonly status: number; readonly text: string }>((resolve) => {
    const failed = () => resolve({ status: 0, text: '' });
    request({ host, path, method, headers, agent, timeout: timeoutMs }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    })
      .on('error', failed)
      .on('timeout', failed)
      .end();
  });

process.stdout.write(JSON.stringify(await Promise.all(Array.from({ length: times }, ask))), () => process.exit(0));
