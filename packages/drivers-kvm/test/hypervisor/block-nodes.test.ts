import { expect } from 'chai';
import { Deadline } from '../../src/deadline.ts';
import { closeLeftOpen } from '../../src/hypervisor/block-nodes.ts';
import type { Domains } from '../../src/hypervisor/domains.ts';
import { JobType } from '../../src/libvirt/index.ts';

const ID = '6f0a3f0e-3a6c-4a8c-9d0e-0c4f0a3b1d11';

/** What a QEMU has open: by name, its file and the node below the rest, as told by hand. */
class Emulator {
  readonly nodes = new Map<string, { readonly file: string; readonly below: readonly string[] }>();
  readonly devices: readonly string[];
  readonly objects: string[] = [];
  readonly done: string[] = [];
  /** By command: which of its calls is refused, counted from 1. */
  readonly refusals = new Map<string, number>();
  readonly keeps = new Set<string>();
  readonly #calls = new Map<string, number>();

  constructor(devices: readonly string[]) {
    this.devices = devices;
  }

  open(number: number, file: string, below: readonly string[] = []): this {
    this.objects.push(`libvirt-${number}-storage-auth-secret0`);
    this.nodes.set(`libvirt-${number}-storage`, { file, below: [] });
    this.nodes.set(`libvirt-${number}-format`, { file, below: [`libvirt-${number}-storage`, ...below] });
    return this;
  }

  answer(execute: string, args: Readonly<Record<string, string>>): unknown {
    const calls = (this.#calls.get(execute) ?? 0) + 1;
    this.#calls.set(execute, calls);
    if (this.refusals.get(execute) === calls) return { error: { desc: 'no' } };
    const names = [...this.nodes.keys()];
    const edges = [
      ...[...this.nodes].flatMap(([name, { below }], parent) => below.map((each) => ({ parent, name, child: names.indexOf(each) }))),
      ...this.devices.map((each, index) => ({ parent: 1000 + index, child: names.indexOf(each) })),
    ];
    const name = args['node-name'] ?? '';
    switch (execute) {
      case 'query-named-block-nodes':
        return { return: [...this.nodes].map(([each, { file }]) => ({ 'node-name': each, file })) };
      case 'x-debug-query-block-graph':
        return {
          return: {
            nodes: [
              ...names.map((each, id) => ({ id, name: each, type: 'block-driver' })),
              ...this.devices.map((each, index) => ({ id: 1000 + index, name: `device of ${each}`, type: 'block-backend' })),
            ],
            edges,
          },
        };
      case 'qom-list':
        return { return: this.objects.map((each) => ({ name: each })) };
      case 'object-del':
        this.objects.splice(this.objects.indexOf(args.id ?? ''), 1);
        return { return: {} };
      default:
        expect(execute).to.equal('blockdev-del');
        if (this.keeps.has(name) || edges.some(({ child }) => names[child] === name))
          return { error: { desc: `Block device ${name} is in use` } };
        this.nodes.delete(name);
        this.done.push(name);
        return { return: {} };
    }
  }

  /** What it says of closing what is left of the volume `v1`. */
  async close(type: JobType = JobType.none): Promise<string> {
    const api = {
      qemuMonitorCommand: async ({ command }: { readonly command: string }) => {
        const { execute, arguments: args } = JSON.parse(command);
        return JSON.stringify(this.answer(execute, args));
      },
      domainGetJobInfo: async () => ({ type }),
    } as unknown as Domains['api'];
    const deadline = new Deadline({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 10_000 });
    return closeLeftOpen({ api }, ID, 'v1', deadline).then(
      () => 'done',
      (error: Error) => error.message,
    );
  }
}

/** A disk that is plugged in, with its image; and what is left of another one of the same image. */
const emulator = () =>
  new Emulator(['libvirt-1-format'])
    .open(2, '/pool/image')
    .open(1, '/pool/v0', ['libvirt-2-format'])
    .open(10, '/pool/image')
    .open(9, '/pool/v1', ['libvirt-10-format']);
const PLUGGED = ['libvirt-2-storage', 'libvirt-2-format', 'libvirt-1-storage', 'libvirt-1-format'];
const LEFT = ['libvirt-9-format', 'libvirt-9-storage', 'libvirt-10-format', 'libvirt-10-storage'];
const secretsOf = (...numbers: number[]) => numbers.map((number) => `libvirt-${number}-storage-auth-secret0`);

describe('what a libvirtd that died has left open', () => {
  it('is closed from above, and nothing that is in use', async () => {
    for (const job of [JobType.none, JobType.unbounded]) {
      const qemu = emulator();
      expect(await qemu.close(job)).to.equal('done');
      expect([...qemu.nodes.keys()]).to.deep.equal(PLUGGED);
      expect([...qemu.done].sort()).to.deep.equal([...LEFT].sort());
      expect(qemu.objects).to.deep.equal(secretsOf(2, 1));
    }
  });

  it('is closed where nothing but the image was opened, and left to a job that may be about to use it', async () => {
    const qemu = new Emulator([]).open(10, '/pool/image');
    expect(await qemu.close(JobType.unbounded)).to.equal('done');
    expect([qemu.nodes.size, qemu.objects]).to.deep.equal([2, secretsOf(10)]);
    expect(await qemu.close()).to.equal('done');
    expect([qemu.nodes.size, qemu.objects]).to.deep.equal([0, []]);
  });

  it('is not guessed where QEMU does not tell', async () => {
    for (const [query, nth] of [
      ['query-named-block-nodes', 1],
      ['x-debug-query-block-graph', 1],
      ['qom-list', 1],
      ['query-named-block-nodes', 2],
    ] as const) {
      const qemu = emulator();
      qemu.refusals.set(query, nth);
      expect(await qemu.close()).to.equal(`the emulator of machine ${ID} refuses ${query}: no`);
      expect(qemu.objects).to.deep.equal(secretsOf(2, 1, 10, 9));
      expect([...qemu.nodes.keys()]).to.include.members(PLUGGED);
    }
  });

  it('is told where it stays', async () => {
    const qemu = emulator();
    qemu.keeps.add('libvirt-10-format');
    const refusal = 'Block device libvirt-10-format is in use';
    expect(await qemu.close()).to.equal(`the emulator of machine ${ID} does not close libvirt-10-format: ${refusal}`);
    expect([...qemu.nodes.keys()]).to.deep.equal([...PLUGGED, 'libvirt-10-storage', 'libvirt-10-format']);
  });

  it('keeps the secret of a disk that is plugged in meanwhile', async () => {
    const qemu = emulator();
    const answer = qemu.answer.bind(qemu);
    let isPlugged = false;
    qemu.answer = (execute, args) => {
      // Between the two last questions, whichever comes first.
      if (!isPlugged && qemu.done.length === LEFT.length && ['qom-list', 'query-named-block-nodes'].includes(execute)) {
        isPlugged = true;
        const answered = answer(execute, args);
        qemu.open(11, '/pool/v2');
        return answered;
      }
      return answer(execute, args);
    };
    expect(await qemu.close()).to.equal('done');
    expect(qemu.objects).to.deep.equal(secretsOf(2, 1, 11));
  });
});
