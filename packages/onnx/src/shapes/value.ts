import type { TensorData } from '@unitscope/tensor';
import type { Constant, Dim, ElementType } from '../graph.js';

/**
 * One element of a value that is computed from shapes: a number, an integer beyond 2^53, the name of a size that is
 * known at run time only, or undefined where nothing is known.
 */
export type Element = number | bigint | string | undefined;

/** What is known of a value before the network runs. */
export interface Value {
  readonly type: ElementType | undefined;
  /** Undefined where not even the rank is known. */
  readonly dims: readonly Dim[] | undefined;
  readonly constant?: Constant | undefined;
  /** In C order, for small values that come from shapes. */
  readonly elements?: readonly Element[] | undefined;
}

/** The number of elements, or undefined where a size is a symbol or the number cannot be counted. */
export function countOf(dims: readonly Dim[] | undefined): number | undefined {
  if (dims === undefined) return undefined;
  let count = 1;
  for (const dim of dims) {
    if (typeof dim === 'string') return undefined;
    count *= dim;
  }
  return Number.isSafeInteger(count) ? count : undefined;
}

export function isInteger(type: ElementType | undefined): boolean {
  return type !== undefined && type in RANGES && type !== 'bool';
}

const RANGES: Partial<Record<ElementType, readonly [number, number]>> = {
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint8: [0, 2 ** 8 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
  bool: [0, 1],
};

/** The element as `type` holds it: rounded to float32; undefined where the type cannot hold it. */
export function fit(element: Element, type: ElementType | undefined): Element {
  if (typeof element !== 'number') return element;
  if (type === 'float32') return Math.fround(element);
  if (type === 'float64') return element;
  const range = type === undefined ? undefined : RANGES[type];
  if (range === undefined || !Number.isInteger(element)) return undefined;
  // Adding 0 turns -0 into 0.
  return element >= range[0] && element <= range[1] ? element + 0 : undefined;
}

/** The elements of a constant, or undefined for a type whose numbers are not looked into. */
export function elementsOfConstant({ type, data }: Constant): readonly Element[] | undefined {
  if (type !== 'float32' && type !== 'float64' && RANGES[type] === undefined) return undefined;
  const elements: Element[] = [];
  for (const item of data) {
    const number = Number(item);
    elements.push(typeof item === 'bigint' && !Number.isSafeInteger(number) ? item : number);
  }
  return elements;
}

const ARRAYS: Partial<Record<ElementType, (numbers: readonly (number | bigint)[]) => TensorData>> = {
  float32: (numbers) => Float32Array.from(numbers, Number),
  float64: (numbers) => Float64Array.from(numbers, Number),
  int8: (numbers) => Int8Array.from(numbers, Number),
  uint8: (numbers) => Uint8Array.from(numbers, Number),
  int16: (numbers) => Int16Array.from(numbers, Number),
  uint16: (numbers) => Uint16Array.from(numbers, Number),
  int32: (numbers) => Int32Array.from(numbers, Number),
  uint32: (numbers) => Uint32Array.from(numbers, Number),
  int64: (numbers) => BigInt64Array.from(numbers, BigInt),
  uint64: (numbers) => BigUint64Array.from(numbers, BigInt),
  bool: (numbers) => Uint8Array.from(numbers, Number),
};

/** The constant a value is, or undefined where anything about it is not a number. */
export function constantOf({ type, dims, constant, elements }: Value): Constant | undefined {
  if (constant !== undefined) return constant;
  if (type === undefined || dims === undefined || elements === undefined) return undefined;
  const create = ARRAYS[type];
  const sizes = dims.filter((dim) => typeof dim === 'number');
  const numbers = elements.filter((element) => typeof element === 'number' || typeof element === 'bigint');
  if (create === undefined || sizes.length < dims.length || numbers.length < elements.length)
    return undefined;
  return { type, dims: sizes, data: create(numbers) };
}
