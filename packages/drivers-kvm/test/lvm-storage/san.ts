import { setTimeout as sleep } from 'node:timers/promises';
import type { SanMachine } from '../../../../tools/san/machine.ts';

const TARGET = 'iqn.2026-01.test.pileus:san';
const PORTALS = ['10.1.1.1', '10.1.1.2'] as const;
const UNTIL_MS = 240_000;

/** A LUN that is reached over two portals, each with an address of its own, as one device: what multipathd makes of it. */
export class San {
  /** What a volume group is made on. */
  readonly device = '/dev/mapper/san';
  readonly #machine: SanMachine;

  private constructor(machine: SanMachine) {
    this.#machine = machine;
  }

  static async up(machine: SanMachine): Promise<San> {
    const san = new San(machine);
    const tgt = 'tgtadm --lld iscsi';
    for (const portal of PORTALS) await san.restore(portal);
    await machine.run(`truncate -s 200M /tmp/lun && mkdir -p /run/lock/iscsi && tgtd --iscsi portal=${PORTALS[0]}:3260`);
    await until('the target', async () => (await machine.attempt(`${tgt} --op show --mode target`)).exitCode === 0);
    await machine.run(`${tgt} --op new --mode portal --param portal=${PORTALS[1]}:3260`);
    await machine.run(`${tgt} --op new --mode target --tid 1 -T ${TARGET}`);
    await machine.run(`${tgt} --op new --mode logicalunit --tid 1 --lun 1 -b /tmp/lun && ${tgt} --op bind --mode target --tid 1 -I ALL`);
    await machine.run('iscsid && multipathd');
    for (const portal of PORTALS) await machine.run(`iscsiadm -m discovery -t sendtargets -p ${portal}`);
    await machine.run('iscsiadm -m node -L all && udevadm settle');
    await san.untilActive(PORTALS.length);
    return san;
  }

  /** What is sent to it, or comes from it, is lost, without a word. */
  async cut(portal: (typeof PORTALS)[number]): Promise<void> {
    await this.#machine.run(`ip addr del ${portal}/32 dev lo`);
  }

  async restore(portal: (typeof PORTALS)[number]): Promise<void> {
    await this.#machine.run(`ip addr add ${portal}/32 dev lo`);
  }

  /** Until multipathd uses so many paths. */
  untilActive(count: number): Promise<void> {
    return until(`${count} active paths`, async () => {
      const { said } = await this.#machine.attempt("multipathd show paths format '%d %t %T %m'");
      return said.split('\n').filter((line) => /^sd\w+\s+active\s+ready\s+san/.test(line)).length === count;
    });
  }
}

export async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + UNTIL_MS; !(await look()); await sleep(200))
    if (performance.now() > deadline) throw new Error(`no ${what} in ${UNTIL_MS} ms`);
}
