import type { Symbols } from './symbols.js';
import type { Element } from './value.js';

// Arithmetic on elements that are numbers or the names of sizes. Only operations whose result does not depend on the
// implementation's rounding are computed here: what is folded is what the network would have computed.

/** `integer`: the operands are of an integer type. */
export type Binary = (a: Element, b: Element, symbols: Symbols, integer: boolean) => Element;
export type Unary = (a: Element, symbols: Symbols) => Element;

type Plain = number | string;

function binary(
  compute: (a: number, b: number, integer: boolean) => number | undefined,
  symbolic: (a: Plain, b: Plain, symbols: Symbols, integer: boolean) => Element = () => undefined,
): Binary {
  return (a, b, symbols, integer) => {
    if (a === undefined || b === undefined || typeof a === 'bigint' || typeof b === 'bigint')
      return undefined;
    if (typeof a === 'number' && typeof b === 'number') return compute(a, b, integer);
    return symbolic(a, b, symbols, integer);
  };
}

function unary(
  compute: (a: number) => number | undefined,
  symbolic: (a: string, symbols: Symbols) => Element = () => undefined,
): Unary {
  return (a, symbols) => {
    if (a === undefined || typeof a === 'bigint') return undefined;
    return typeof a === 'number' ? compute(a) : symbolic(a, symbols);
  };
}

export const add = binary(
  (a, b) => a + b,
  (a, b, symbols) => symbols.sum([a, b]),
);

export const subtract = binary(
  (a, b) => a - b,
  (a, b, symbols) => symbols.sum([a, symbols.product([-1, b])]),
);

export const multiply = binary(
  (a, b) => a * b,
  (a, b, symbols) => symbols.product([a, b]),
);

/** Integers are divided towards zero. */
export const divide = binary(
  (a, b, integer) => {
    if (!integer) return a / b;
    return b === 0 ? undefined : Math.trunc(a / b);
  },
  (a, b, symbols, integer) => {
    const exact = symbols.quotient(a, b);
    if (exact !== undefined) return exact;
    return integer
      ? symbols.expression(`trunc(${a}/${b})`, signOf(a, symbols) && signOf(b, symbols) ? 'size' : 'integer')
      : symbols.expression(`(${a}/${b})`, 'real');
  },
);

function signOf(value: Plain, symbols: Symbols): boolean {
  return typeof value === 'number' ? value >= 0 : symbols.kind(value) === 'size';
}

/** The remainder has the sign of the divisor, as in Python. */
export const modulo = binary((a, b) => (b === 0 ? undefined : a - b * Math.floor(a / b)));

/** The remainder has the sign of the dividend, as fmod in C. */
export const floatModulo = binary((a, b, integer) => (integer && b === 0 ? undefined : a % b));

export const minimum = binary((a, b) => Math.min(a, b), pick);
export const maximum = binary(
  (a, b) => Math.max(a, b),
  (a, b, symbols) => {
    const order = compare(a, b, symbols);
    return order === undefined ? undefined : order > 0 ? a : b;
  },
);

function pick(a: Plain, b: Plain, symbols: Symbols): Element {
  const order = compare(a, b, symbols);
  return order === undefined ? undefined : order < 0 ? a : b;
}

/** The sign of a - b where it is certain. */
function compare(a: Element, b: Element, symbols: Symbols): number | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (typeof a !== 'string' && typeof b !== 'string') return a < b ? -1 : a > b ? 1 : a === b ? 0 : undefined;
  if (a === b) return 0;
  if (typeof a === 'string' && typeof b !== 'string')
    return symbols.kind(a) === 'size' && b < 0 ? 1 : undefined;
  if (typeof b === 'string' && typeof a !== 'string')
    return symbols.kind(b) === 'size' && a < 0 ? -1 : undefined;
  return undefined;
}

function comparison(holds: (order: number) => boolean): Binary {
  return (a, b, symbols) => {
    const order = compare(a, b, symbols);
    return order === undefined ? undefined : holds(order) ? 1 : 0;
  };
}

export const equal = comparison((order) => order === 0);
export const less = comparison((order) => order < 0);
export const lessOrEqual = comparison((order) => order <= 0);
export const greater = comparison((order) => order > 0);
export const greaterOrEqual = comparison((order) => order >= 0);

export const and: Binary = (a, b) => (a === 0 || b === 0 ? 0 : a === 1 && b === 1 ? 1 : undefined);
export const or: Binary = (a, b) => (a === 1 || b === 1 ? 1 : a === 0 && b === 0 ? 0 : undefined);
export const exclusiveOr = binary((a, b) => (a === b ? 0 : 1));
export const not = unary((a) => (a === 0 ? 1 : 0));

export const negate = unary(
  (a) => -a,
  (a, symbols) => symbols.product([-1, a]),
);
export const absolute = unary(Math.abs, (a, symbols) => (symbols.kind(a) === 'size' ? a : undefined));
export const sign = unary(Math.sign);
export const floor = unary(Math.floor, rounded('floor'));
export const ceil = unary(Math.ceil, rounded('ceil'));
export const squareRoot = unary(Math.sqrt);
export const reciprocal = unary((a) => 1 / a);

function rounded(name: string): (a: string, symbols: Symbols) => Element {
  return (a, symbols) => (symbols.kind(a) === 'real' ? symbols.expression(`${name}${a}`, 'integer') : a);
}
