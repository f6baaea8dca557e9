// The demo: from a clone to a machine that answers, on this machine: npm run demo [-- --exit]
import { parseArgs } from 'node:util';
import { Demo } from './demo.ts';

const USAGE = `npm run demo            a cloud with one machine, served until Ctrl-C; then all of it is removed
npm run demo -- --exit  the same, removed at once; the last line is a JSON report
npm run demo -- --network ovn
                        two VPCs with the same addresses, three machines and an elastic IP, on an OVN of its own
npm run demo -- --storage rbd
                        a machine on a Ceph cluster of its own: image, clone, and a disk that grows while it runs

PILEUS_STATE  folder for what is kept while it runs (default: .cache/demo)
`;

// When the terminal was closed nobody reads any more; what is up is taken down all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

function refuse(why: string): never {
  process.stderr.write(`demo: ${why}\n\n${USAGE}`);
  process.exit(2);
}

function optionsOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        exit: { type: 'boolean', default: false },
        network: { type: 'string', default: 'libvirt' },
        storage: { type: 'string', default: 'dir' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

const { network, storage, exit, help } = optionsOf(process.argv.slice(2));
if (help) process.stdout.write(USAGE);
else if (network !== 'libvirt' && network !== 'ovn') refuse(`--network is libvirt or ovn, not ${network}`);
else if (storage !== 'dir' && storage !== 'rbd') refuse(`--storage is dir or rbd, not ${storage}`);
else if (network === 'ovn' && storage === 'rbd') refuse('--network ovn has disks on its host: without --storage rbd');
else
  process.exitCode = await new Demo({
    exit,
    what: storage === 'rbd' ? 'rbd' : network,
    log: (line) => console.log(line),
  }).run();
