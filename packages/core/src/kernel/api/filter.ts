import { CloudError } from '../errors.ts';
import type { Condition } from '../store.ts';
import type { FieldType, Scalar } from './fields.ts';

const TEXT_MAX = 4096;
const DEPTH_MAX = 32;
const COMPARISONS_MAX = 100;

type Token =
  | { readonly type: 'word' | 'sign' | 'string'; readonly text: string; readonly at: number }
  | { readonly type: 'number'; readonly text: string; readonly value: number; readonly at: number }
  | { readonly type: 'end'; readonly text: ''; readonly at: number };

/**
 * Reads `field op value` with `and`, `or`, `not` and parentheses, e.g. `state = 'running' and not (hostId is null)`. Operators: = != < <= > >= in like
 * `is null` `is not null`. Strings stand in single quotes, a quote inside is doubled. In a `like`, % is any text, _ any character, \ takes both literally.
 * @throws CloudError `invalid_input` that says where, and for a field what else can be filtered.
 */
export function parseFilter(text: string, fields: ReadonlyMap<string, FieldType>): Condition {
  if (text.length > TEXT_MAX) throw wrong(`is longer than ${TEXT_MAX} characters`);
  return new Parser(tokens(text), fields).parse();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #fields: ReadonlyMap<string, FieldType>;
  #index = 0;
  #depth = 0;
  #comparisons = 0;

  constructor(parts: readonly Token[], fields: ReadonlyMap<string, FieldType>) {
    this.#tokens = parts;
    this.#fields = fields;
  }

  parse(): Condition {
    const condition = this.#either();
    if (this.#peek().type !== 'end') throw unexpected(this.#peek(), 'and, or, or the end');
    return condition;
  }

  #either(): Condition {
    const parts = [this.#all()];
    while (this.#takeWord('or')) parts.push(this.#all());
    return parts.length === 1 ? (parts[0] as Condition) : { or: parts };
  }

  #all(): Condition {
    const parts = [this.#one()];
    while (this.#takeWord('and')) parts.push(this.#one());
    return parts.length === 1 ? (parts[0] as Condition) : { and: parts };
  }

  #one(): Condition {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw wrong('is nested too deeply');
    try {
      if (this.#takeWord('not')) return { not: this.#one() };
      if (!this.#takeSign('(')) return this.#comparison();
      const inner = this.#either();
      this.#sign(')');
      return inner;
    } finally {
      this.#depth -= 1;
    }
  }

  #comparison(): Condition {
    this.#comparisons += 1;
    if (this.#comparisons > COMPARISONS_MAX) throw wrong(`has more than ${COMPARISONS_MAX} comparisons`);
    const { field, type } = this.#field();
    if (this.#takeWord('is')) {
      const negated = this.#takeWord('not');
      this.#word('null');
      return { field, op: negated ? 'not null' : 'null' };
    }
    if (this.#takeWord('in')) return { field, op: 'in', value: this.#values(type) };
    if (this.#takeWord('like')) {
      if (type !== 'string') throw wrong(`compares ${field} with like, which takes text only`);
      return { field, op: 'like', value: this.#value('string') as string };
    }
    const token = this.#next();
    const op = COMPARISONS.find((known) => token.type === 'sign' && known === token.text);
    if (op === undefined) throw unexpected(token, 'an operator (= != < <= > >= in like is)');
    return { field, op, value: this.#value(type) };
  }

  #field(): { readonly field: string; readonly type: FieldType } {
    const token = this.#next();
    if (token.type !== 'word') throw unexpected(token, 'a field');
    const type = this.#fields.get(token.text);
    if (type === undefined) throw unknownField(token.text, this.#fields);
    return { field: token.text, type };
  }

  #values(type: FieldType): readonly Scalar[] {
    this.#sign('(');
    const values = [this.#value(type)];
    while (this.#takeSign(',')) values.push(this.#value(type));
    this.#sign(')');
    return values;
  }

  #value(type: FieldType): Scalar {
    const token = this.#next();
    if (type === 'string' && token.type === 'string') return token.text;
    if (type === 'boolean' && token.type === 'word' && (token.text === 'true' || token.text === 'false')) return token.text === 'true';
    if (token.type === 'number' && (type === 'number' || (type === 'integer' && Number.isSafeInteger(token.value)))) return token.value;
    throw unexpected(token, VALUES[type]);
  }

  #peek(): Token {
    return this.#tokens[this.#index] as Token;
  }
  #next(): Token {
    const token = this.#peek();
    if (token.type !== 'end') this.#index += 1;
    return token;
  }
  #take(type: 'word' | 'sign', text: string): boolean {
    const token = this.#peek();
    const taken = token.type === type && token.text === text;
    if (taken) this.#index += 1;
    return taken;
  }
  #takeWord(text: string): boolean {
    return this.#take('word', text);
  }
  #takeSign(text: string): boolean {
    return this.#take('sign', text);
  }
  #word(text: string): void {
    if (!this.#takeWord(text)) throw unexpected(this.#peek(), text);
  }
  #sign(text: string): void {
    if (!this.#takeSign(text)) throw unexpected(this.#peek(), text);
  }
}

const COMPARISONS = ['=', '!=', '<', '<=', '>', '>='] as const;
const VALUES = {
  string: "a text in single quotes ('…')",
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
} as const satisfies Record<FieldType, string>;

const TOKEN = /\s*(?:([A-Za-z][A-Za-z0-9]*)|(-?\d+(?:\.\d+)?)|'((?:[^']|'')*)'|(!=|<=|>=|[=<>(),]))/y;

function tokens(text: string): readonly Token[] {
  const found: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  for (let at = 0; at < end; at = TOKEN.lastIndex) {
    const match = TOKEN.exec(text);
    if (match === null) throw wrong(`cannot be read from character ${at + 1} on`);
    const [, word, number, string, sign] = match;
    if (word !== undefined) found.push({ type: 'word', text: word, at });
    else if (number !== undefined) found.push({ type: 'number', text: number, value: Number(number), at });
    else if (string !== undefined) found.push({ type: 'string', text: string.replaceAll("''", "'"), at });
    else found.push({ type: 'sign', text: sign ?? '', at });
  }
  found.push({ type: 'end', text: '', at: text.length });
  return found;
}

const wrong = (says: string): CloudError =>
  new CloudError('invalid_input', `The parameter filter ${says}.`, { params: { parameter: 'filter' } });

const unexpected = (token: Token, wanted: string): CloudError =>
  wrong(`has ${token.type === 'end' ? 'its end' : `'${token.text}'`} at character ${token.at + 1} where ${wanted} belongs`);

export const unknownField = (field: string, fields: ReadonlyMap<string, FieldType>): CloudError =>
  new CloudError('invalid_input', `The field ${field} cannot be filtered; these can: ${[...fields.keys()].join(', ')}.`, {
    params: { parameter: 'filter', field, fields: [...fields.keys()] },
  });
