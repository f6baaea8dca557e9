import type { Json, JsonObject } from '../../src/kernel/json.ts';
import type { AnyKind } from '../../src/kernel/kind.ts';
import type { Operand } from '../../src/kernel/query/ast.ts';
import type { Shape } from '../../src/kernel/query/graph.ts';
import { msOf } from './oracle.ts';
import { type Dice, NOW_MS, valuesFor } from './world.ts';

/** Where values are that a comparison can meet: under a path of a kind's rows, with `*` for what a map holds. */
export interface At {
  readonly kind: AnyKind;
  readonly path: readonly string[];
}

type Scalar = string | number | boolean;

const PATTERNS = ['%', 'a%', '%b', '_', '%\\%', 'x\\_y', '%*%', '', "it's", '01900000%'];
const DAY_MS = 86_400_000;

/** What comparisons are made with: mostly what some row has there, or what is next to it, so that they tell rows apart. */
export class Literals {
  readonly #dice: Dice;
  readonly #rowsOf: (kind: AnyKind) => readonly JsonObject[];
  readonly #ids: readonly string[];
  readonly #known = new Map<string, readonly Scalar[]>();

  constructor(dice: Dice, rowsOf: (kind: AnyKind) => readonly JsonObject[], ids: readonly string[]) {
    this.#dice = dice;
    this.#rowsOf = rowsOf;
    this.#ids = ids;
  }

  /** @param isAmong where nothing but a value that the field can have is taken for one */
  value(at: At, shape: Shape, isAmong: boolean): Operand {
    const dice = this.#dice;
    const any = valuesFor(shape, this.#ids);
    const there = this.#at(at);
    const roll = dice.next();
    if (there.length === 0 || roll < 0.12) return dice.one(any);
    const found = dice.one(there);
    if (roll < 0.75) return this.#said(found, shape, at);
    return isAmong && shape.type === 'string' && shape.values !== undefined ? dice.one(shape.values) : this.#near(found);
  }

  pattern(at: At): string {
    const dice = this.#dice;
    const texts = this.texts(at);
    if (texts.length === 0 || dice.chance(0.15)) return dice.one(PATTERNS);
    const letters = [...dice.one(texts)];
    const place = dice.below(letters.length + 1);
    const plain = (some: readonly string[]) => some.map((letter) => (/[%_\\]/.test(letter) ? `\\${letter}` : letter)).join('');
    const [before, behind] = [plain(letters.slice(0, place)), plain(letters.slice(place))];
    const without = plain(letters.slice(place + 1));
    return dice.one([
      `${before}%`,
      `%${behind}`,
      `${before}%${without}`,
      `${before}_${without}`,
      plain(letters),
      otherCase(plain(letters)),
    ]);
  }

  texts(at: At): readonly string[] {
    return this.#at(at).filter((value) => typeof value === 'string');
  }

  /** What is there, as a caller may say it. */
  #said(value: Scalar, shape: Shape, { path }: At): Operand {
    const dice = this.#dice;
    const unitMs = msOf(path.at(-1) ?? '');
    if (typeof value === 'number' && !Number.isNaN(unitMs) && Number.isSafeInteger(value * unitMs) && dice.chance(0.5))
      return { durationMs: value * unitMs };
    if (shape.type !== 'time') return value;
    const ms = Date.parse(String(value));
    // In another zone, as a day, or from now.
    const east = new Date(ms + 5_400_000).toISOString().replace('Z', '+01:30');
    return dice.one<Operand>([value, east, String(value).slice(0, 10), { nowPlusMs: ms - NOW_MS }]);
  }

  /** What is not there, but hardly differs. */
  #near(value: Scalar): Operand {
    const dice = this.#dice;
    if (typeof value === 'boolean') return !value;
    if (typeof value === 'number')
      return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value + dice.one([-1, 1, 0.5])));
    if (/^\d{4}-\d\d-\d\dT/.test(value)) return new Date(Date.parse(value) + dice.one([-1, 1, -DAY_MS, DAY_MS])).toISOString();
    return dice.one([value.slice(0, -1), `${value} `, `${value}a`, otherCase(value), value.slice(1)]).toWellFormed();
  }

  #at({ kind, path }: At): readonly Scalar[] {
    const name = [kind.name, ...path].join('/');
    const known = this.#known.get(name) ?? this.#rowsOf(kind).flatMap((row) => scalarsAt(row, path));
    this.#known.set(name, known);
    return known;
  }
}

const otherCase = (text: string): string => (text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase());

function scalarsAt(value: Json | undefined, path: readonly string[]): readonly Scalar[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap((each) => scalarsAt(each as Json, path));
  const [name, ...rest] = path;
  if (typeof value !== 'object') return name === undefined ? [value] : [];
  if (name === undefined) return [];
  if (name === '*') return Object.values(value).flatMap((each) => scalarsAt(each as Json, rest));
  return scalarsAt((value as JsonObject)[name], rest);
}
