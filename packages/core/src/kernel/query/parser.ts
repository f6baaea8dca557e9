import { COMPARISONS_MAX, FILTER_DEPTH_MAX, type Filter, type Operand } from './ast.ts';
import { type Token, tokensOf, unexpected, wrongFilter } from './tokens.ts';

const TEXT_MAX = 4096;
const COMPARISONS = ['=', '!=', '<', '<=', '>', '>='] as const;

/**
 * Reads a filter, e.g. `state = 'running' and nics.subnet.cidr = '10.0.0.0/24' and has(volumes: sizeBytes > 100GiB)`. The grammar: docs/guides/queries.md.
 * @throws CloudError `invalid_input` that says where it goes wrong
 */
export function parseFilter(text: string): Filter {
  if (text.length > TEXT_MAX) throw wrongFilter(`is longer than ${TEXT_MAX} characters`);
  return new Parser(tokensOf(text)).parse();
}

class Parser {
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;
  #comparisons = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Filter {
    const filter = this.#either();
    if (this.#peek().type !== 'end') throw unexpected(this.#peek(), 'and, or, or the end');
    return filter;
  }

  #either(): Filter {
    const parts = [this.#all()];
    while (this.#takeWord('or')) parts.push(this.#all());
    return parts.length === 1 ? (parts[0] as Filter) : { or: parts };
  }

  #all(): Filter {
    const parts = [this.#one()];
    while (this.#takeWord('and')) parts.push(this.#one());
    return parts.length === 1 ? (parts[0] as Filter) : { and: parts };
  }

  #one(): Filter {
    this.#depth += 1;
    if (this.#depth > FILTER_DEPTH_MAX) throw wrongFilter('is nested too deeply');
    try {
      if (this.#takeWord('not')) return { not: this.#one() };
      if (this.#takeSign('(')) {
        const inner = this.#either();
        this.#sign(')');
        return inner;
      }
      this.#comparisons += 1;
      if (this.#comparisons > COMPARISONS_MAX) throw wrongFilter(`has more than ${COMPARISONS_MAX} comparisons`);
      const [word, next] = this.#tokens.slice(this.#index);
      return word?.type === 'word' && word.text === 'has' && next?.text === '(' ? this.#has() : this.#comparison();
    } finally {
      this.#depth -= 1;
    }
  }

  #has(): Filter {
    this.#index += 2;
    const has = this.#path();
    const where = this.#takeSign(':') ? { where: this.#either() } : {};
    this.#sign(')');
    return { has, ...where };
  }

  #comparison(): Filter {
    const field = this.#path();
    if (this.#takeWord('is')) {
      const negated = this.#takeWord('not');
      this.#word('null');
      return { field, op: negated ? 'not null' : 'null' };
    }
    const negated = this.#takeWord('not');
    if (this.#takeWord('in')) return { field, op: negated ? 'not in' : 'in', value: this.#values() };
    if (this.#takeWord('like')) {
      const pattern = this.#next();
      if (pattern.type !== 'string') throw unexpected(pattern, "a text in single quotes ('…')");
      return { field, op: negated ? 'not like' : 'like', value: pattern.text };
    }
    const token = this.#next();
    const op = negated ? undefined : COMPARISONS.find((known) => token.type === 'sign' && known === token.text);
    if (op === undefined) throw unexpected(token, negated ? 'in or like' : 'an operator (= != < <= > >= in like is)');
    return { field, op, value: this.#value() };
  }

  #path(): string {
    const names = [this.#name()];
    while (this.#takeSign('.')) names.push(this.#name());
    return names.join('.');
  }

  #name(): string {
    const token = this.#next();
    if (token.type !== 'word') throw unexpected(token, 'a field');
    return token.text;
  }

  #values(): readonly Operand[] {
    this.#sign('(');
    const values = [this.#value()];
    while (this.#takeSign(',')) values.push(this.#value());
    this.#sign(')');
    return values;
  }

  #value(): Operand {
    const token = this.#next();
    if (token.type === 'string') return token.text;
    if (token.type === 'number') return token.value;
    if (token.type === 'duration') return { durationMs: token.ms };
    if (token.type === 'word' && (token.text === 'true' || token.text === 'false')) return token.text === 'true';
    if (token.type === 'word' && token.text === 'now') return { nowPlusMs: this.#distance() };
    throw unexpected(token, "a value ('text', 10, 10GiB, 5m, true, false, now-1h)");
  }

  /** What follows `now`: `-1h`, or with spaces between. */
  #distance(): number {
    const sign = this.#takeSign('-') ? -1 : 1;
    const isSigned = sign === -1 || this.#takeSign('+');
    const token = this.#peek();
    if (token.type === 'duration' && (isSigned || /^[+-]/.test(token.text))) {
      this.#index += 1;
      return sign * token.ms;
    }
    if (isSigned) throw unexpected(token, 'a duration (30s, 5m, 1h, 7d)');
    return 0;
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
