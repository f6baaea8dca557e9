import type { JsonObject } from '@pileus/core/kernel';
import { SimRandom } from '@pileus/core/testing';
import { diskWishes } from './disk-wishes.ts';
import { imageWishes } from './image-wishes.ts';
import { labelWishes } from './label-wishes.ts';
import { machineWishes } from './machine-wishes.ts';
import { movingWishes } from './moving-wishes.ts';
import { NETWORK_KINDS, networkWishes } from './network-wishes.ts';
import { otherWishes } from './other-wishes.ts';
import { quotaWishes } from './quota-wishes.ts';
import { settingWishes } from './setting-wishes.ts';
import { siteWishes } from './site-wishes.ts';
import { stackWishes } from './stack-wishes.ts';
import type { Drawing, Wish, WishGroup } from './wish.ts';

/**
 * A request, as it is planned. What begins with `@` in it stands for an id that is known when it is asked: `@17` is what request 17 has made, `@nic/17/2` one of that
 * machine's NICs, `@op/17` its operation, `@live/volume/a1/p1/5` one of the volumes that the project has then, `@any/host/5` one of all hosts, `@on/hv1/2` one of the
 * machines of that host, `@named/host/hv1` the host that is called so then, `@routed/nic/a1/p1/5` one of the project's NICs within VPCs, `@guest/network/a1/p1/5` a
 * network that others share with it, `@asked/own/a1/p1/5` a VPC of it that others want to be linked with, and `@asked/their/a1/p1/5` theirs; others name what was
 * there at the beginning. `@in/60` is the instant a minute later.
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
  /** It is looked at what it would do before, and exactly that is asked for. */
  readonly previews?: boolean;
}

export const ROLES = ['member', 'projectAdmin', 'viewer', 'named'] as const;

/** Who runs the cloud, and may do what no member may. */
export const OPERATOR = 'operator';

/** What members ask for in all histories. */
const GROUPS: readonly WishGroup[] = [machineWishes, diskWishes, otherWishes];
/** In those that `Ground.further` tells of, also this. A group more is one entry here. */
const FURTHER_GROUPS: readonly WishGroup[] = [movingWishes, stackWishes, settingWishes, quotaWishes, labelWishes, imageWishes, siteWishes];

/** In those with networks, also this. */
const NETWORK_GROUPS: readonly WishGroup[] = [networkWishes];

const LIVE = 0.6;
/** Of these, further histories mostly mean some that there are. */
const LIVING: ReadonlySet<string> = new Set(['instance', 'volume', 'snapshot', 'snapshotGroup', 'stack', 'tagPolicy', 'image']);
/** Of these, histories with networks do: each needs several others that are there. */
const LIVING_NETWORKS: ReadonlySet<string> = new Set(['instance', 'network', ...NETWORK_KINDS]);
const FOREIGN = 0.04;

/** What is asked for beside machines and disks, as `Ground` tells. */
interface More {
  readonly further: boolean;
  readonly networks: boolean;
}

/** Draws requests. It remembers what they would make, for later ones to work on. */
export class WishList {
  readonly #random: SimRandom;
  readonly #projects: readonly [string, ...string[]];
  readonly #made = new Map<string, number[]>();
  readonly #gone = new Map<string, number[]>();
  readonly #size: number;
  readonly #further: boolean;
  readonly #networks: boolean;
  readonly #groups: readonly WishGroup[];
  #id = 0;
  #project: string;

  /**
   * @param size what a project may have of machines, at about
   * @param more what `Ground` says of the same names
   */
  constructor(random: SimRandom, projects: readonly [string, ...string[]], size: number, more: More) {
    const { further, networks } = more;
    this.#further = further;
    this.#networks = networks;
    this.#groups = [...GROUPS, ...(further ? FURTHER_GROUPS : []), ...(networks ? NETWORK_GROUPS : [])];
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
    const wish = this.#wish();
    const { action, on, input, previews } = wish;
    const kind = action.endsWith('.create') ? action.slice(0, -'.create'.length) : undefined;
    if (kind !== undefined) this.#list(this.#project, kind).push(id);
    if (/\.(delete|recover|expunge)$/.test(action)) this.#moved(action, on);
    if (action !== 'look' && action !== 'cancel') this.#list(this.#project, 'any').push(id);
    const [repeats, rehearses] = [random.chance(0.15), random.chance(0.05)];
    const further = { ...(this.#further && random.chance(0.15) ? { callsBack: true } : {}), ...(previews === true ? { previews } : {}) };
    return { type: 'ask', who: this.#who(wish), action, ...(on === undefined ? {} : { on }), input, repeats, rehearses, ...further };
  }

  #who({ by }: Wish): string {
    if (by === 'operator') return OPERATOR;
    const [account = ''] = this.#project.split('/');
    if (by === 'accountAdmin') return `${account}/admin@${this.#project}`;
    const role = this.#random.next();
    if (role < 0.1) return `${account}/admin@${this.#project}`;
    return `${this.#project}/${role < 0.75 ? 'member' : role < 0.9 ? 'projectAdmin' : role < 0.95 ? 'named' : 'viewer'}`;
  }

  #list(project: string, kind: string, from = this.#made): number[] {
    const key = `${project} ${kind}`;
    const list = from.get(key) ?? [];
    from.set(key, list);
    return list;
  }

  /** What is deleted is not asked for so often any more, but to have it back, or gone for good. */
  #moved(action: string, on = ''): void {
    const [kind = '', verb] = action.split('.');
    const [from, to] = verb === 'delete' ? [this.#made, this.#gone] : [this.#gone, this.#made];
    const ids = this.#list(this.#project, kind, from);
    const at = ids.indexOf(Number(on.slice(1)));
    if (at < 0 || this.#random.chance(0.2)) return;
    ids.splice(at, 1);
    if (verb !== 'expunge') this.#list(this.#project, kind, to).push(Number(on.slice(1)));
  }

  /** A late one rather than an early one; now and then one of somebody else. Much of what is asked for is never made: in further histories, and in those with networks, most are of those that are there. */
  #one(kind: string, from = this.#made): string {
    const random = this.#random;
    const project = random.chance(FOREIGN) ? random.pick<string>([...this.#projects]) : this.#project;
    const meansLiving = (this.#further && LIVING.has(kind)) || (this.#networks && LIVING_NETWORKS.has(kind));
    if (meansLiving && from === this.#made && random.chance(LIVE)) return `@live/${kind}/${project}/${random.below(1000)}`;
    const ids = this.#list(project, kind, from);
    const found = ids[ids.length - 1 - Math.floor(random.next() ** 2 * ids.length)];
    return `@${found ?? `none/${kind}`}`;
  }

  #network(): string {
    return this.#random.chance(0.8) ? `@network/${this.#project}` : this.#random.chance(0.1) ? '@network/shared' : this.#one('network');
  }

  #drawing(): Drawing {
    return {
      random: this.#random,
      id: this.#id,
      project: this.#project,
      projects: this.#projects,
      size: this.#size,
      further: this.#further,
      name: () => `r${this.#id}`,
      one: (kind) => this.#one(kind),
      on: (action, kind, input = {}) => this.#on(action, kind, input),
      network: () => this.#network(),
      storageClass: () => (this.#random.chance(0.3) ? { storageClass: 'shared' } : {}),
    };
  }

  #wish(): Wish {
    const drawing = this.#drawing();
    const wishes = this.#groups.flatMap((group) => group(drawing));
    let left = this.#random.below(wishes.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, make] of wishes) {
      left -= weight;
      if (left < 0) return make();
    }
    throw new Error('the weights are whole numbers');
  }

  #on(action: string, kind: string, input: JsonObject): Wish {
    const isBack = /\.(recover|expunge)$/.test(action) && this.#random.chance(0.9);
    return { action, on: this.#one(kind, isBack ? this.#gone : this.#made), input };
  }
}

/** The actions that may be wished for: all that a list draws in the long run. */
export function actionsWished({ further = false, networks = false }: Partial<More> = {}): readonly string[] {
  const wishes = new WishList(new SimRandom('all'), ['a1/p1'], 4, { further, networks });
  const drawn = Array.from({ length: 20_000 }, (_, id) => wishes.draw(id).action);
  return [...new Set(drawn)].filter((action) => action.includes('.')).sort();
}
