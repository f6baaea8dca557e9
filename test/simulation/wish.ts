import type { JsonObject } from '@pileus/core/kernel';
import type { SimRandom } from '@pileus/core/testing';

/** What somebody might ask for. */
export interface Wish {
  /** The name of an action, or `cancel`, or `look`: reads. */
  readonly action: string;
  /** Like all ids in `input`, by the names that `Ask` tells of. */
  readonly on?: string;
  readonly input: JsonObject;
  /** Who may: one who runs the cloud, or an administrator of the account. Default: any member of the project. */
  readonly by?: 'operator' | 'accountAdmin';
  /** It is looked at what it would do before, and exactly that is asked for. */
  readonly previews?: boolean;
}

/** Wishes, each with how often it is drawn, as a whole number, and how it is made. */
export type Wishes = readonly (readonly [weight: number, make: () => Wish])[];

/** What wishes are made with. */
export interface Drawing {
  readonly random: SimRandom;
  /** The number of the request. */
  readonly id: number;
  /** Whose wish it is: `a1/p2`. */
  readonly project: string;
  readonly projects: readonly [string, ...string[]];
  /** What a project may have of machines, at about. */
  readonly size: number;
  /** Whether it is for a history that `Ground.further` tells of. */
  readonly further: boolean;
  /** Of the request. Guests behave by its last digit. */
  readonly name: () => string;
  /** Something of the kind that somebody has wished for, or that there is. */
  readonly one: (kind: string) => string;
  /** To do it to one of them. */
  readonly on: (action: string, kind: string, input?: JsonObject) => Wish;
  /** A network to connect a machine to. */
  readonly network: () => string;
  /** Now and then another than the default. */
  readonly storageClass: () => JsonObject;
}

/** A group of wishes: one file each. */
export type WishGroup = (drawing: Drawing) => Wishes;
