import { assert, expect } from 'chai';
import { FULL } from '../../../../../../tools/test/slice.ts';
import { attachment, host } from '../../../../src/cloud/index.ts';
import { debt } from '../../../../src/kernel/index.ts';
import { SimRandom } from '../../../../testing/index.ts';
import { LOOK_MS, LOST_MS, MachineStage } from '../machine-stage.ts';

const HOSTS = 3;
const MACHINES = 3;
const STEPS = 40;
const SEEDS = FULL ? 40 : 6;
/** Of those with a volume that several of them have. */
const SHARED_SEEDS = FULL ? 40 : 3;

const TROUBLES = ['crash', 'partition', 'freeze', 'disconnect'] as const;
const CURES = { crash: 'boot', partition: 'reconnect', freeze: 'thaw', disconnect: 'reconnect' } as const;
const VERBS = ['start', 'stop', 'reset', 'migrate', 'migrate', 'migrate', 'evacuate', 'evacuate', 'evacuate'] as const;
const SHARED_VERBS = [...VERBS, 'attachVolume', 'attachVolume', 'attachVolume', 'detachVolume'] as const;

/** Hosts fall and rise, machines are started, stopped, migrated and evacuated, the control plane is killed: told by one seed. */
class History {
  readonly #stage: MachineStage;
  readonly #random: SimRandom;
  readonly #ids: readonly string[];
  /** What several of them may have. */
  readonly #volumeId: string | undefined;
  readonly #ill = new Map<string, (typeof TROUBLES)[number]>();
  readonly #asked: string[] = [];
  evacuated = 0;
  migrated = 0;

  constructor(stage: MachineStage, seed: string, ids: readonly string[], volumeId?: string) {
    this.#stage = stage;
    this.#random = new SimRandom(seed);
    this.#ids = ids;
    this.#volumeId = volumeId;
  }

  #one<T>(of: readonly T[]): T {
    return of[Math.floor(this.#random.next() * of.length)] as T;
  }

  async step(): Promise<void> {
    const { sim } = this.#stage;
    const what = this.#random.next();
    if (what < 0.2) this.#fall();
    else if (what < 0.35) this.#rise(this.#one([...this.#ill.keys()]));
    else if (what < 0.4) await this.#kill();
    else {
      const verb = this.#one(this.#volumeId === undefined ? VERBS : SHARED_VERBS);
      const input = verb === 'stop' ? { force: true } : verb.endsWith('Volume') ? { volumeId: this.#volumeId } : {};
      const id = verb === 'evacuate' ? await this.#needy() : this.#one(this.#ids);
      const asked = await sim.submit(`instance.${verb}`, input, id).catch(() => undefined);
      if (asked !== undefined) this.#asked.push(asked.operationId);
      if (asked !== undefined && verb === 'evacuate') this.evacuated += 1;
      if (asked !== undefined && verb === 'migrate') this.migrated += 1;
    }
    await sim.run(this.#one([20, 200, 2000, LOST_MS]));
    expect(sim.world.violations).to.deep.equal([]);
  }

  /** A machine whose host is lost, if there is one. */
  async #needy(): Promise<string> {
    const ids: string[] = [];
    for (const id of this.#ids) {
      const { hostId = '' } = await this.#stage.instance(id);
      if ((await this.#stage.row(host, hostId)).status === 'disconnected') ids.push(id);
    }
    return this.#one(ids.length === 0 ? this.#ids : ids);
  }

  #fall(): void {
    const name = `hv${1 + Math.floor(this.#random.next() * HOSTS)}`;
    if (this.#ill.has(name)) return;
    const trouble = this.#one(TROUBLES);
    this.#ill.set(name, trouble);
    this.#stage.sim.world[trouble](name);
  }

  #rise(name: string | undefined): void {
    const trouble = name === undefined ? undefined : this.#ill.get(name);
    if (name === undefined || trouble === undefined) return;
    this.#ill.delete(name);
    this.#stage.sim.world[CURES[trouble]](name);
  }

  async #kill(): Promise<void> {
    this.#stage.sim.crash();
    await this.#stage.sim.start();
  }

  /** All hosts are well again: everything asked for ends, and nothing is owed. */
  async heal(): Promise<void> {
    for (const name of [...this.#ill.keys()]) this.#rise(name);
    for (const id of this.#asked) await this.#stage.sim.ended(id);
    await this.#stage.sim.run(LOST_MS + LOOK_MS);
  }
}

describe('machines between hosts that come and go', () => {
  let [evacuated, migrated] = [0, 0];
  after(() => {
    assert.isAbove(evacuated, SEEDS, 'machines were evacuated');
    assert.isAbove(migrated, SEEDS, 'machines were migrated');
  });

  for (let seed = 1; seed <= SEEDS; seed += 1)
    it(`are never on two at once, and no disk is open to two: seed ${seed}`, async function () {
      this.timeout(240_000);
      await play(`evacuation ${seed}`, `history ${seed}`);
    });

  for (let seed = 1; seed <= SHARED_SEEDS; seed += 1)
    it(`have one disk in common, which is open to those that it is attached to: seed ${seed}`, async function () {
      this.timeout(240_000);
      await play(`sharing ${seed}`, `shared history ${seed}`, true);
    });

  async function play(seed: string, told: string, isShared = false): Promise<void> {
    const stage = await MachineStage.with({ hosts: HOSTS, network: false }, { seed });
    const poolId = await stage.sim.done('pool.create', {
      ...{ name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' },
    });
    const ids: string[] = [];
    for (let at = 0; at < MACHINES; at += 1) ids.push(await stage.machine({ rootVolume: { storageClass: 'shared' } }));
    const volumeId = isShared
      ? await stage.sim.done('volume.create', { name: 'quorum', sizeBytes: 8192, poolId, shareable: true })
      : undefined;
    for (const id of volumeId === undefined ? [] : ids.slice(0, 2)) await stage.sim.done('instance.attachVolume', { volumeId }, id);
    const history = new History(stage, told, ids, volumeId);
    for (let at = 0; at < STEPS; at += 1) await history.step();
    await history.heal();
    evacuated += history.evacuated;
    migrated += history.migrated;
    for (const id of ids) {
      const row = await stage.instance(id);
      // One whose second host was lost, too, before it was there waits to be started.
      const isNowhere = stage.copies(id) === 0 && row.state === 'stopped' && row.stateReason?.code === 'not_started';
      if (isNowhere) await stage.sim.done('instance.start', {}, id);
      expect(stage.copies(id), `copies of ${JSON.stringify(row)}`).to.equal(1);
      const there = stage.sim.world.host((await stage.row(host, row.hostId ?? '')).name).machine(id);
      expect(there.live, `${id} is ${row.state}`).to.equal(isNowhere || row.state === 'running');
    }
    expect([await stage.rows(debt), stage.sim.world.violations]).to.deep.equal([[], []]);
    for (const hostId of stage.hostIds) {
      const rows = await Promise.all(ids.map((id) => stage.instance(id)));
      expect((await stage.taken(hostId))[0] ?? 0).to.equal(rows.filter((row) => row.hostId === hostId).length);
    }
    if (volumeId !== undefined) await expectShared(stage, poolId, volumeId);
  }
});

/** It is open in those that are on and have it, each known to be itself, and no host keeps it reachable for nobody. */
async function expectShared(stage: MachineStage, poolId: string, volumeId: string): Promise<void> {
  const wanted: string[] = [];
  const hosts = new Set<string>();
  for (const { instanceId } of await stage.rows(attachment)) {
    const row = await stage.instance(instanceId);
    const { name } = await stage.row(host, row.hostId ?? '');
    hosts.add(name);
    if (stage.sim.world.host(name).machine(instanceId).live) wanted.push(`${name}/${instanceId}`);
  }
  const stored = stage.sim.world.pools.get(poolId)?.things.get(`volume/${volumeId}`);
  expect([...(stored?.shared?.users ?? [])].sort()).to.deep.equal(wanted.sort());
  expect([...(stored?.attachedTo ?? [])].filter((name) => !hosts.has(name))).to.deep.equal([]);
  for (const [machineId, clients] of stored?.shared?.known ?? [])
    for (const client of clients) expect(client, 'is known to be what it is').to.match(new RegExp(`/${machineId}$`));
}
