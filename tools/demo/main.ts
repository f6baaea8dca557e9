// The demo: from a clone to a machine that answers, on this machine: npm run demo [-- --exit]
import { parseArgs } from 'node:util';
import { Demo } from './demo.ts';

const USAGE = `npm run demo            a cloud with one machine, served until Ctrl-C; then all of it is removed
npm run demo -- --exit  the same, removed at once; the last line is a JSON report

PILEUS_STATE  folder for what is kept while it runs (default: .cache/demo)
`;

const { values } = parseArgs({
  options: { exit: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
});
// When the terminal was closed nobody reads any more; what is up is taken down all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

if (values.help) process.stdout.write(USAGE);
else process.exitCode = await new Demo({ exit: values.exit, log: (line) => console.log(line) }).run();
