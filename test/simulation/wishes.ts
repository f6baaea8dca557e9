import type { JsonObject } from '@pileus/core/kernel';
import { SimRandom } from '@pileus/core/testing';
import { HOOKS_URL } from './deliveries.ts';

/**
 * A request, as it is planned. What begins with `@` in it stands for an id that is known when it is asked: `@17` is what request 17 has made, `@nic/17/2` one of that
 * machine's NICs, `@op/17` its operation, `@live/volume/a1/p1/5` one of the volumes that the project has then, `@on/hv1/2` one of the machines of that host; others
 * name what was there at the beginning.
 */
export interface Ask {
  readonly type: 'ask';
  /** E.g. `a1/p2/member`. */
  readonly who: string;
  /** The name of an action, or `cancel`, or `look`: reads. */
  readonly action: string;
  readonly on?: string;
  readonly input: JsonObject;
  /** It is asked twice at the same time, and once more after its answer. */
  readonly repeats: boolean;
  /** It is rehearsed before. */
  readonly rehearses: boolean;
  /** Who asks wants to be called back when it has ended. */
  readonly callsBack?: boolean;
}

type Wish = Pick<Ask, 'action' | 'input'> & { readonly on?: string };
type Made = 'instance' | 'volume' | 'snapshot' | 'network' | 'placementGroup' | 'share' | 'webhook' | 'any';

export const ROLES = ['member', 'projectAdmin', 'viewer', 'named'] as const;

/** Who runs the cloud, and may do what no member may. */
export const OPERATOR = 'operator';
const OPERATORS = /^instance\.(migrate|evacuate)$/;
const LIVE = 0.6;
const LIVING: ReadonlySet<Made> = new Set(['instance', 'volume', 'snapshot']);

const FOREIGN = 0.04;
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

/** Draws requests. It remembers what they would make, for later ones to work on. */
export class WishList {
  readonly #random: SimRandom;
  readonly #projects: readonly [string, ...string[]];
  readonly #made = new Map<string, number[]>();
  readonly #gone = new Map<string, number[]>();
  readonly #size: number;
  readonly #further: boolean;
  #id = 0;
  #project: string;

  /**
   * @param size what a project may have of machines, at about
   * @param further also what `Ground.further` says
   */
  constructor(random: SimRandom, projects: readonly [string, ...string[]], size: number, further: boolean) {
    this.#further = further;
    this.#size = size;
    this.#random = random;
    this.#projects = projects;
    this.#project = projects[0];
  }

  /** @param id what later requests know it by */
  draw(id: number): Ask {
    const random = this.#random;
    this.#id = id;
    this.#project = random.pick<string>([...this.#projects]);
    const { action, on, input } = this.#wish();
    const kind = action.endsWith('.create') ? (action.slice(0, -'.create'.length) as Made) : undefined;
    if (kind !== undefined) this.#list(this.#project, kind).push(id);
    if (/\.(delete|recover|expunge)$/.test(action)) this.#moved(action, on);
    if (action !== 'look' && action !== 'cancel') this.#list(this.#project, 'any').push(id);
    const [repeats, rehearses] = [random.chance(0.15), random.chance(0.05)];
    const callsBack = this.#further && random.chance(0.15) ? { callsBack: true } : {};
    return { type: 'ask', who: this.#who(action), action, ...(on === undefined ? {} : { on }), input, repeats, rehearses, ...callsBack };
  }

  #who(action: string): string {
    if (OPERATORS.test(action)) return OPERATOR;
    const [account = ''] = this.#project.split('/');
    if (/^(share|apiKey|project|roleBinding)\./.test(action)) return `${account}/admin@${this.#project}`;
    const role = this.#random.next();
    if (role < 0.1) return `${account}/admin@${this.#project}`;
    return `${this.#project}/${role < 0.75 ? 'member' : role < 0.9 ? 'projectAdmin' : role < 0.95 ? 'named' : 'viewer'}`;
  }

  #list(project: string, kind: Made, from = this.#made): number[] {
    const key = `${project} ${kind}`;
    const list = from.get(key) ?? [];
    from.set(key, list);
    return list;
  }

  /** What is deleted is not asked for so often any more, but to have it back, or gone for good. */
  #moved(action: string, on = ''): void {
    const [kind = '', verb] = action.split('.');
    const [from, to] = verb === 'delete' ? [this.#made, this.#gone] : [this.#gone, this.#made];
    const ids = this.#list(this.#project, kind as Made, from);
    const at = ids.indexOf(Number(on.slice(1)));
    if (at < 0 || this.#random.chance(0.2)) return;
    ids.splice(at, 1);
    if (verb !== 'expunge') this.#list(this.#project, kind as Made, to).push(Number(on.slice(1)));
  }

  /** A late one rather than an early one; now and then one of somebody else. Much of what is asked for is never made: in further histories most are of those that are there. */
  #one(kind: Made, from = this.#made): string {
    const random = this.#random;
    const project = random.chance(FOREIGN) ? random.pick<string>([...this.#projects]) : this.#project;
    if (this.#further && from === this.#made && LIVING.has(kind) && random.chance(LIVE))
      return `@live/${kind}/${project}/${random.below(1000)}`;
    const ids = this.#list(project, kind, from);
    const found = ids[ids.length - 1 - Math.floor(random.next() ** 2 * ids.length)];
    return `@${found ?? `none/${kind}`}`;
  }

  #network(): string {
    return this.#random.chance(0.8) ? `@network/${this.#project}` : this.#random.chance(0.1) ? '@network/shared' : this.#one('network');
  }

  #wish(): Wish {
    const wishes = [
      ...this.#machineWishes(),
      ...this.#diskWishes(),
      ...this.#otherWishes(),
      ...(this.#further ? this.#furtherWishes() : []),
    ];
    let left = this.#random.below(wishes.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, make] of wishes) {
      left -= weight;
      if (left < 0) return make();
    }
    throw new Error('the weights are whole numbers');
  }

  #on(action: string, kind: Made, input: JsonObject = {}): Wish {
    const isBack = /\.(recover|expunge)$/.test(action) && this.#random.chance(0.9);
    return { action, on: this.#one(kind, isBack ? this.#gone : this.#made), input };
  }

  #machineWishes(): readonly (readonly [number, () => Wish])[] {
    const random = this.#random;
    const on = (verb: string, input: JsonObject = {}) => this.#on(`instance.${verb}`, 'instance', input);
    return [
      [20, () => this.#machine(random.chance(0.8) ? { nics: [{ networkId: this.#network() }] } : {})],
      [2, () => this.#machine({ attachVolumeIds: [this.#one('volume')] })],
      // Fewer where some are to be moved about before.
      [this.#further ? 4 : 9, () => on('delete', random.chance(0.2) ? { force: true } : {})],
      [1, () => on('delete', { permanent: true })],
      [3, () => on('recover')],
      [1, () => on('expunge')],
      [9, () => on('start')],
      [9, () => on('stop', random.chance(0.5) ? { force: true } : { timeoutSeconds: random.below(30) })],
      [4, () => on('suspend')],
      [4, () => on('resume')],
      [3, () => on('reset')],
      [2, () => on('reboot')],
      [6, () => on('resize', this.#shape())],
      [2, () => on('setCpuShares', { cpuShares: 2 + random.below(2000) })],
      [7, () => on('attachVolume', { volumeId: this.#one('volume') })],
      [5, () => on('detachVolume', { volumeId: this.#one('volume') })],
      [4, () => on('attachNic', { networkId: this.#network() })],
      [3, () => this.#withNic((nicId) => on('detachNic', { nicId }))],
      [
        2,
        () =>
          this.#withNic((nicId) => ({
            action: 'nic.setLimits',
            on: nicId,
            input: { limits: { inboundBytesPerSecond: random.below(3) * 1024 } },
          })),
      ],
      [2, () => on('update', { description: `by request ${this.#id}` })],
    ];
  }

  #diskWishes(): readonly (readonly [number, () => Wish])[] {
    const random = this.#random;
    const on = (verb: string, input: JsonObject = {}) => this.#on(`volume.${verb}`, 'volume', input);
    const sizeBytes = () => 4096 * (1 + random.below(8));
    return [
      [8, () => ({ action: 'volume.create', input: { name: this.#name(), sizeBytes: sizeBytes(), ...this.#storageClass() } })],
      [5, () => on('delete', random.chance(0.2) ? { force: true } : {})],
      [2, () => on('recover')],
      [1, () => on('expunge')],
      [3, () => on('resize', { sizeBytes: 4096 * (8 + random.below(8)) })],
      [2, () => on('setLimits', { limits: { iopsPerSecond: random.below(3) * 100 } })],
      ...this.#snapshotWishes(),
    ];
  }

  #snapshotWishes(): readonly (readonly [number, () => Wish])[] {
    const of = (verb: string, input: JsonObject = {}) => this.#on(`snapshot.${verb}`, 'snapshot', input);
    const made = (from: JsonObject): Wish => ({ action: 'volume.create', input: { name: this.#name(), ...from } });
    return [
      [6, () => ({ action: 'snapshot.create', input: { name: this.#name(), volumeId: this.#one('volume') } })],
      [3, () => of('delete')],
      [2, () => of('revert')],
      [2, () => made({ snapshotId: this.#one('snapshot') })],
      [1, () => made({ volumeId: this.#one('volume') })],
      [2, () => this.#on('volume.flatten', 'volume')],
      [1, () => this.#on('volume.delete', 'volume', { recursive: true, permanent: true })],
      [3, () => this.#on('instance.snapshot', 'instance', { name: this.#name() })],
    ];
  }

  #otherWishes(): readonly (readonly [number, () => Wish])[] {
    const random = this.#random;
    const project = `@project/${this.#project}`;
    const limit = () => (random.chance(0.3) ? null : 4 + random.below(Math.ceil(4 * this.#size)));
    const limits = () => ({ instances: limit(), volumes: limit() });
    return [
      [
        4,
        () => ({
          action: 'network.create',
          input: {
            name: this.#name(),
            subnets: [{ name: this.#name(), cidr: `10.${random.below(250)}.0.0/28` }],
            ...(random.chance(0.5) ? { driver: 'simulated-shared' } : {}),
          },
        }),
      ],
      [2, () => this.#on('network.delete', 'network')],
      [
        1,
        () => ({
          action: 'placementGroup.create',
          input: { name: this.#name(), policy: random.pick(['affinity', 'antiAffinity', 'softAntiAffinity']) },
        }),
      ],
      [1, () => this.#on('placementGroup.delete', 'placementGroup')],
      [
        1,
        () => ({
          action: 'share.create',
          input: {
            name: this.#name(),
            resourceKind: 'network',
            resourceId: this.#one('network'),
            with: random.pick(['all', `@project/${random.pick<string>([...this.#projects])}`]),
          },
        }),
      ],
      [1, () => this.#on('share.delete', 'share')],
      [1, () => ({ action: 'project.setQuota', on: project, input: { limits: limits() } })],
      [1, () => ({ action: 'apiKey.revoke', on: `@key/${this.#project}/${random.pick(['viewer', 'named'])}`, input: {} })],
      [
        1,
        () => ({
          action: 'tag.attach',
          input: { resourceKind: 'instance', resourceIds: [this.#one('instance')], tags: { for: `request-${this.#id}` } },
        }),
      ],
      [1, () => ({ action: 'tag.detach', input: { resourceKind: 'instance', resourceIds: [this.#one('instance')], keys: ['for'] } })],
      [6, () => ({ action: 'cancel', on: this.#one('any').replace('@', '@op/'), input: {} })],
      [12, () => ({ action: 'look', on: this.#one(random.pick<Made>(['instance', 'volume', 'network'])), input: {} })],
    ];
  }

  /** Volumes and machines that are moved, and those outside who are told of what happens. */
  #furtherWishes(): readonly (readonly [number, () => Wish])[] {
    const random = this.#random;
    const hook = (verb: string, input: JsonObject = {}) => this.#on(`webhook.${verb}`, 'webhook', input);
    const kinds = () =>
      random.pick<readonly string[]>([['instance'], ['volume', 'nic'], ['operation'], ['instance', 'volume', 'network', 'operation']]);
    return [
      // There and back: what has only just left a pool is refused there for a while (decision 28).
      [10, () => this.#on('volume.move', 'volume', { storageClass: 'shared' })],
      [10, () => this.#on('volume.move', 'volume', { storageClass: 'standard' })],
      [8, () => this.#on('instance.migrate', 'instance')],
      [3, () => this.#on('instance.evacuate', 'instance')],
      [
        4,
        () => ({
          action: 'webhook.create',
          input: { name: this.#name(), url: `${HOOKS_URL}/${this.#id}`, kinds: [...kinds()], secret: SECRET },
        }),
      ],
      [2, () => hook('update', { kinds: [...kinds()] })],
      [2, () => hook('disable')],
      [2, () => hook('enable')],
      [2, () => hook('delete')],
    ];
  }

  #machine(more: JsonObject): Wish {
    const random = this.#random;
    const group = () => (random.chance(0.7) ? `@group/${this.#project}/${random.below(3)}` : this.#one('placementGroup'));
    return {
      action: 'instance.create',
      input: {
        name: this.#name(),
        imageId: '@image',
        instanceType: 'small',
        start: random.chance(0.8),
        ...more,
        ...(random.chance(0.3) ? { whenFull: 'wait' } : {}),
        ...(random.chance(0.3) ? { placementGroupId: group() } : {}),
        ...(random.chance(0.2) ? { rootVolume: this.#storageClass() } : {}),
        // Only what lies where other hosts reach it goes to them.
        ...(this.#further && random.chance(0.7) ? { rootVolume: { storageClass: 'shared' } } : {}),
        ...(random.chance(0.3) ? { volumes: [{ sizeBytes: 8192, deleteWithInstance: random.chance(0.5), ...this.#storageClass() }] } : {}),
      },
    };
  }

  #shape(): JsonObject {
    const random = this.#random;
    return { vcpus: 1 + random.below(4), ...(random.chance(0.5) ? { memoryBytes: 2 ** 30 * (1 + random.below(4)) } : {}) };
  }

  #storageClass(): JsonObject {
    return this.#random.chance(0.3) ? { storageClass: 'shared' } : {};
  }

  #withNic(make: (nicId: string) => Wish): Wish {
    return make(`${this.#one('instance').replace('@', '@nic/')}/${this.#random.below(3)}`);
  }

  /** Guests behave by the last digit. */
  #name(): string {
    return `r${this.#id}`;
  }
}

/** The actions that may be wished for: all that a list draws in the long run. */
export function actionsWished({ further = false }: { readonly further?: boolean } = {}): readonly string[] {
  const wishes = new WishList(new SimRandom('all'), ['a1/p1'], 4, further);
  const drawn = Array.from({ length: 20_000 }, (_, id) => wishes.draw(id).action);
  return [...new Set(drawn)].filter((action) => action.includes('.')).sort();
}
