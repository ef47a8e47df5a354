import type { Dim } from '../graph.js';

/** What is known of a symbol's number: a size is never negative, an integer may be, a real need not be whole. */
export type SymbolKind = 'size' | 'integer' | 'real';

/** coefficient * product of the factors; every symbol that is not one stands for itself. */
interface Monomial {
  readonly coefficient: number;
  readonly factors: readonly string[];
}

/** Names and products longer than these get a number for a name: a file must not make them grow without end. */
const LONGEST_NAME = 72;
const MOST_FACTORS = 16;

/**
 * The names of sizes that are known at run time only. Equal names mean equal numbers, so arithmetic that gives the
 * same result gives the same name: 8 * N is one symbol however it came about, and divided by 8 it is N again.
 */
export class Symbols {
  readonly #kinds = new Map<string, SymbolKind>();
  readonly #monomials = new Map<string, Monomial>();
  readonly #byExpression = new Map<string, string>();
  #count = 0;

  /** Takes a symbol as the file or the caller names it. */
  declare(name: string): string {
    if (!this.#kinds.has(name)) this.#kinds.set(name, 'size');
    return name;
  }

  /** A symbol nobody has, for a size of which nothing is known. */
  fresh(stem: string): string {
    return this.#add(stem, 'size');
  }

  kind(symbol: string): SymbolKind {
    return this.#kinds.get(symbol) ?? 'size';
  }

  /** The symbol of an expression: the same one each time. `shown` is its name, the expression by default. */
  expression(key: string, kind: SymbolKind, shown = key): string {
    const known = this.#byExpression.get(key);
    if (known !== undefined) return known;
    const name = this.#add(shown.length > LONGEST_NAME ? `?size_${this.#count++}` : shown, kind);
    this.#byExpression.set(key, name);
    return name;
  }

  /** A product; the number of an unsafe product of numbers is left for the caller to refuse. */
  product(terms: readonly Dim[]): Dim {
    let coefficient = 1;
    const factors: string[] = [];
    for (const term of terms) {
      if (typeof term === 'number') {
        coefficient *= term;
        continue;
      }
      const monomial = this.#monomialOf(term);
      coefficient *= monomial.coefficient;
      factors.push(...monomial.factors);
    }
    if (coefficient === 0) return 0;
    if (factors.length > MOST_FACTORS || (factors.length > 0 && !Number.isSafeInteger(coefficient))) {
      return this.expression(`product(${terms.join(',')})`, this.#kindOfProduct(terms));
    }
    return this.#monomial(coefficient, factors);
  }

  /** dividend / divisor where that is a whole number of symbols whatever they are (and none is zero). */
  quotient(dividend: Dim, divisor: Dim): Dim | undefined {
    const ratio = this.ratio(dividend, divisor);
    return typeof ratio === 'number' && !Number.isInteger(ratio) ? undefined : ratio;
  }

  /** As `quotient`; where all symbols cancel, the number that is left need not be whole. */
  ratio(dividend: Dim, divisor: Dim): Dim | undefined {
    const above = this.#monomialOf(dividend);
    const below = this.#monomialOf(divisor);
    if (below.coefficient === 0) return undefined;
    const factors = [...above.factors];
    for (const factor of below.factors) {
      const at = factors.indexOf(factor);
      if (at < 0) return undefined;
      factors.splice(at, 1);
    }
    const coefficient = above.coefficient / below.coefficient;
    if (factors.length > 0 && !Number.isInteger(coefficient)) return undefined;
    return this.#monomial(coefficient, factors);
  }

  /** A sum; like terms are joined: N + N is 2*N, N - N is 0. */
  sum(terms: readonly Dim[]): Dim {
    let constant = 0;
    const groups = new Map<string, Monomial>();
    for (const term of terms) {
      if (typeof term === 'number') {
        constant += term;
        continue;
      }
      const { coefficient, factors } = this.#monomialOf(term);
      const key = factors.join('*');
      const total = (groups.get(key)?.coefficient ?? 0) + coefficient;
      groups.set(key, { coefficient: total, factors });
    }
    const parts: Dim[] = [];
    for (const { coefficient, factors } of groups.values()) {
      if (coefficient !== 0) parts.push(this.#monomial(coefficient, factors));
    }
    if (parts.length === 0) return constant;
    if (parts.length === 1 && constant === 0) return parts[0]!;
    const text = parts
      .map(String)
      .sort()
      .concat(constant === 0 ? [] : [String(constant)])
      .join('+')
      .replaceAll('+-', '-');
    const kinds = parts.map((part) => (typeof part === 'string' ? this.kind(part) : 'integer'));
    const whole = Number.isInteger(constant) && !kinds.includes('real');
    const kind = whole ? (constant >= 0 && !kinds.includes('integer') ? 'size' : 'integer') : 'real';
    return this.expression(`(${text})`, kind, text);
  }

  #kindOfProduct(terms: readonly Dim[]): SymbolKind {
    const kinds = terms.map((term): SymbolKind => {
      if (typeof term === 'string') return this.kind(term);
      return Number.isInteger(term) ? (term >= 0 ? 'size' : 'integer') : 'real';
    });
    return kinds.includes('real') ? 'real' : kinds.includes('integer') ? 'integer' : 'size';
  }

  #monomialOf(term: Dim): Monomial {
    if (typeof term === 'number') return { coefficient: term, factors: [] };
    return this.#monomials.get(term) ?? { coefficient: 1, factors: [term] };
  }

  #monomial(coefficient: number, factors: readonly string[]): Dim {
    if (factors.length === 0) return coefficient;
    if (factors.length === 1 && coefficient === 1) return factors[0]!;
    const sorted = [...factors].sort();
    const terms: readonly Dim[] = coefficient === 1 ? sorted : [coefficient, ...sorted];
    const symbol = this.expression(terms.join('*'), this.#kindOfProduct(terms));
    this.#monomials.set(symbol, { coefficient, factors: sorted });
    return symbol;
  }

  #add(stem: string, kind: SymbolKind): string {
    let name = stem;
    for (let count = 1; this.#kinds.has(name); count++) name = `${stem}_${count}`;
    this.#kinds.set(name, kind);
    return name;
  }
}
