import { instance } from '@pileus/core';
import { isCloudError } from '@pileus/core/kernel';
import { type SimCloud, SimRandom } from '@pileus/core/testing';
import { assert } from 'chai';
import { type Ask, drawAsk, type Model, type Outcome, outcome, TRASH_VERBS, VERBS } from './instance-model.ts';
import { unrest } from './quiet.ts';
import { stillCloud } from './still-cloud.ts';

const STEPS_OF_TABLE = 100_000;
/** Each is a request or two, decided and done by the whole kernel: `npm test` walks as far as 20 s of a processor go, `npm run test:full` all of them. */
const STEPS_OF_KERNEL = process.env.PILEUS_FULL === '1' ? 100_000 : 20_000;
const GIB = 2 ** 30;

/** What happens to a machine behind our back, and what it is found as. */
const ACCIDENTS = ['crashed', 'stopped', 'missing'] as const;

/** Both by way of `deleting`. */
const ENDS = ['trashed', 'deleted'];

const states = instance.states as Readonly<Record<string, readonly string[]>>;
const NEW: Model = {
  state: 'running',
  hasVolume: false,
  nics: 1,
  vcpus: 1,
  memoryBytes: GIB,
  vcpusMax: 2,
  memoryBytesMax: 2 * GIB,
  cpuShares: undefined,
};

describe('a random walk over the states of an instance', () => {
  it(`by the table alone, without a control plane, stays on it for ${STEPS_OF_TABLE} steps and reaches every state of rest`, async () => {
    const { sim } = await stillCloud('table');
    const random = new SimRandom('table');
    const reached = new Set<string>();
    let model = NEW;
    for (let step = 0; step < STEPS_OF_TABLE; step += 1) {
      const from = model.state;
      const verb = random.pick([...VERBS, ...TRASH_VERBS]);
      const ask = drawAsk(random, verb, { volumeId: '', networkId: '' }, ['']);
      if (from !== 'trashed' && random.chance(0.1)) model = { ...model, state: random.pick(ACCIDENTS) };
      else model = outcome(sim.kernel.registry.action(`instance.${verb}`), ask, model).model;
      if (verb === 'delete' && model.state === 'deleted' && from !== 'trashed' && random.chance(0.3))
        model = { ...model, state: 'trashed' };
      const way = model.state === from ? [] : ENDS.includes(model.state) ? ['deleting', model.state] : [model.state];
      let state = from;
      for (const to of way) {
        assert.isTrue(to === state || states[state]?.includes(to), `from ${state} to ${to}`);
        state = to;
        reached.add(state);
      }
      if (state === 'deleted') model = { ...NEW, state: random.pick(['running', 'stopped']) };
    }
    assert.sameMembers([...reached], [...Object.keys(states).filter((name) => name !== 'creating'), 'deleted']);
  });

  it(`through the control plane does what the table says, for ${STEPS_OF_KERNEL} verbs, pairs of verbs and accidents`, async function () {
    this.timeout(STEPS_OF_KERNEL * 60);
    const walk = await Walk.begin();
    for (let step = 0; step < STEPS_OF_KERNEL; step += 1) await walk.step(step);
    assert.sameMembers([...walk.done], VERBS, 'each verb was taken');
    await walk.sim.run(3_600_000);
    assert.deepEqual(unrest(walk.sim), []);
  });
});

/** What two requests were told, in the order of the asking, and what is then. */
interface InOrder {
  readonly said: readonly [string, string];
  readonly model: Model;
}
const reversed = ({ said: [one, other], model }: InOrder): InOrder => ({ said: [other, one], model });

const REFUSALS: readonly string[] = ['conflict', 'not_found', 'unsupported'];

/** One machine after the other, and a model of what each must be. */
class Walk {
  readonly sim: SimCloud;
  readonly done = new Set<string>();
  readonly #random = new SimRandom('walk');
  readonly #input: object;
  readonly #things: { readonly volumeId: string; readonly networkId: string };
  #id = '';
  #model: Model = { ...NEW, state: 'deleted' };

  constructor(sim: SimCloud, input: object, things: { readonly volumeId: string; readonly networkId: string }) {
    this.sim = sim;
    this.#input = input;
    this.#things = things;
  }

  static async begin(): Promise<Walk> {
    const { sim, machine } = await stillCloud('walk');
    await sim.done('instanceType.create', { name: 'growing', vcpus: 1, memoryBytes: GIB, vcpusMax: 2, memoryBytesMax: 2 * GIB });
    const volumeId = await sim.done('volume.create', { name: 'beside', sizeBytes: 8192 });
    const networkId = String(sim.rows('network')[0]?.id);
    return new Walk(sim, { ...machine(), instanceType: 'growing' }, { volumeId, networkId });
  }

  async step(number: number): Promise<void> {
    const before = this.#model;
    if (before.state === 'deleted') await this.#create(number);
    else if (this.#random.chance(0.1)) await this.#accident(number);
    else if (this.#random.chance(0.2)) await this.#pair(number, [this.#draw(), this.#draw()]);
    else await this.#single(number, this.#draw());
  }

  #draw(): Ask {
    return drawAsk(
      this.#random,
      this.#random.pick(VERBS),
      this.#things,
      this.sim.rows('nic').map(({ id }) => String(id)),
    );
  }

  #expected(ask: Ask, model: Model): Outcome {
    return outcome(this.sim.kernel.registry.action(`instance.${ask.verb}`), ask, model);
  }

  async #single(number: number, ask: Ask): Promise<void> {
    const what = `step ${number}: ${JSON.stringify(ask)} in ${this.#model.state}`;
    const row = this.sim.row('instance', this.#id);
    const { said, model } = this.#expected(ask, this.#model);
    assert.equal(await this.#ask(ask), said, what);
    if (said === 'succeeded') this.done.add(ask.verb);
    else assert.deepEqual(this.sim.row('instance', this.#id), row, what);
    this.#model = model;
    assert.deepEqual(this.#seen(), model, what);
  }

  /** Two at once do what they do one after the other, in one order or the other. */
  async #pair(number: number, [one, other]: readonly [Ask, Ask]): Promise<void> {
    // Sizes are asked for by what they were: of two at once the second is refused. And a machine loses one NIC once.
    if (one.verb === other.verb && (one.verb === 'resize' || one.verb === 'detachNic')) return this.#single(number, one);
    const said = await this.sim.environment.complete(Promise.all([this.#submitted(one), this.#submitted(other)]));
    const ends = [await this.#end(said[0]), await this.#end(said[1])];
    this.#settle(`step ${number}: ${JSON.stringify([one, other])} in ${JSON.stringify(this.#model)}`, ends, [
      this.#inOrder(this.#model, one, other),
      reversed(this.#inOrder(this.#model, other, one)),
      ...this.#overtaken(one, other),
      ...this.#overtaken(other, one).map(reversed),
    ]);
  }

  /** Made, with a verb that comes while it is being made. */
  async #create(number: number): Promise<void> {
    const { resourceId, operationId } = await this.sim.submit('instance.create', this.#input);
    this.#id = resourceId;
    const ask = drawAsk(this.#random, this.#random.pick(VERBS), this.#things, []);
    assert.equal(this.#row().state, 'creating');
    const said = await this.sim.environment.complete(this.#submitted(ask));
    const ends = [(await this.sim.ended(operationId)).state, await this.#end(said)];
    // A NIC that is not known yet cannot be meant.
    const made = ask.verb === 'detachNic' ? { said: 'not_found', model: NEW } : this.#expected(ask, NEW);
    this.#settle(`step ${number}: a creation and ${JSON.stringify(ask)}`, ends, [{ said: ['succeeded', made.said], model: made.model }]);
  }

  #inOrder(model: Model, first: Ask, then: Ask): InOrder {
    const one = this.#expected(first, model);
    const other = this.#expected(then, one.model);
    return { said: [one.said, other.said], model: other.model };
  }

  /** A deletion takes along what it was accepted with. With a NIC or a volume that came between that and its turn it is refused, and nothing is deleted. */
  #overtaken(one: Ask, other: Ask): readonly InOrder[] {
    if (one.verb !== 'delete' || !other.verb.startsWith('attach')) return [];
    const { said, model } = this.#expected(other, this.#model);
    return [{ said: ['conflict', said], model }];
  }

  /** It has ended as one of these; by which code a request was refused depends on when it was looked at. */
  #settle(what: string, ends: readonly string[], ways: readonly InOrder[]): void {
    const seen = this.#seen();
    const refused = (code: string) => (REFUSALS.includes(code) ? 'refused' : code);
    const told = JSON.stringify([ends.map(refused), seen]);
    const possible = ways.map(({ said, model }) => JSON.stringify([said.map(refused), model]));
    assert.include(possible, told, `${what} was ${ends.join(', ')}`);
    this.#model = seen;
  }

  /** Something happens on the host, and the watch tells. */
  async #accident(number: number): Promise<void> {
    const what = this.#random.pick(ACCIDENTS);
    const { state } = this.#model;
    const host = this.sim.world.host('hv1');
    const there = host.machines.get(this.#id);
    if (what === 'missing') host.remove(this.#id);
    else if (there?.live === true) there.stop(what);
    await this.sim.run(5000);
    const isFound = what === 'missing' || (there?.live === false && (state === 'running' || state === 'suspended'));
    if (isFound) this.#model = { ...this.#model, state: what };
    assert.deepEqual(this.#seen(), this.#model, `step ${number}: an accident in ${state}`);
  }

  async #ask(ask: Ask): Promise<string> {
    return this.#end(await this.sim.environment.complete(this.#submitted(ask)));
  }

  /** The operation, or the code that refused it. */
  async #submitted({ verb, input }: Ask): Promise<{ readonly operationId: string } | { readonly code: string }> {
    const { kernel, principal } = this.sim;
    return kernel.submit({ action: `instance.${verb}`, input, principal, resourceId: this.#id }).catch((error: unknown) => {
      if (isCloudError(error)) return { code: error.code };
      throw error;
    });
  }

  async #end(said: { readonly operationId: string } | { readonly code: string }): Promise<string> {
    if ('code' in said) return said.code;
    const { state, error } = await this.sim.ended(said.operationId);
    return error?.code ?? state;
  }

  #row(): Readonly<Record<string, unknown>> {
    return this.sim.row('instance', this.#id) ?? {};
  }

  #seen(): Model {
    const { state, vcpus, memoryBytes, vcpusMax, memoryBytesMax, cpuShares } = this.#row() as unknown as Model;
    const hasVolume = this.sim.row('volume', this.#things.volumeId)?.instanceId === this.#id;
    return { state, hasVolume, nics: this.sim.rows('nic').length, vcpus, memoryBytes, vcpusMax, memoryBytesMax, cpuShares };
  }
}

describe('a control plane that is stopped for an hour', () => {
  it('changes nothing by that, and finds all as it was: nothing is made twice', async () => {
    const { sim, machine } = await stillCloud('stopped');
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) ids.push(await sim.done('instance.create', machine()));
    await sim.done('instance.stop', { force: true }, ids[0]);
    await sim.done('instance.suspend', {}, ids[1]);
    await sim.run(1_200_000);
    const before = { world: sim.world.snapshot(), residue: await sim.residue(), rows: generations(sim) };
    await sim.environment.complete(sim.kernel.stop());
    sim.crash();
    await sim.run(3_600_000);
    assert.equal(sim.world.snapshot(), before.world);
    await sim.start();
    await sim.run(1_800_000);
    assert.equal(sim.world.snapshot(), before.world);
    assert.equal(await sim.residue(), before.residue);
    assert.deepEqual(generations(sim), before.rows, 'a look that finds nothing new writes nothing');
    assert.deepEqual(unrest(sim), []);
  });
});

const generations = (sim: SimCloud) =>
  ['instance', 'volume', 'network', 'nic', 'host', 'pool'].flatMap((table) =>
    sim.rows(table).map(({ id, generation }) => `${table} ${id} ${generation}`),
  );
