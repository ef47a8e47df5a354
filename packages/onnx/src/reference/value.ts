import { type Tensor, type TensorData, UnitscopeError } from '@unitscope/tensor';
import type { Constant, ElementType } from '../graph.js';

/** A tensor of the reference evaluator: numbers, integers and booleans (0 and 1) all as doubles. */
export interface ReferenceTensor {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

/** What the doubles stand for: integer division truncates, booleans are 0 or 1. */
export type Kind = 'float' | 'int' | 'bool';

export interface Value extends ReferenceTensor {
  readonly kind: Kind;
}

export function floats(dims: readonly number[], data: Float64Array): Value {
  return { dims, data, kind: 'float' };
}

export function ints(dims: readonly number[], data: Float64Array): Value {
  return { dims, data, kind: 'int' };
}

export function booleans(dims: readonly number[], data: Float64Array): Value {
  return { dims, data, kind: 'bool' };
}

/** The kind of an element type. Throws `unsupported` for strings and types that are no numbers. */
export function kindOf(type: ElementType, subject: string): Kind {
  switch (type) {
    case 'float32':
    case 'float64':
    case 'float16':
    case 'bfloat16':
      return 'float';
    case 'bool':
      return 'bool';
    case 'string':
    case 'other':
      throw new UnitscopeError(
        'unsupported',
        `${subject} has the element type ${type}; the reference evaluator takes numbers and booleans only`,
        { subject },
      );
    default:
      return 'int';
  }
}

/** A constant of the graph in doubles, half-precision bits decoded. */
export function fromConstant({ type, dims, data }: Constant, subject: string): Value {
  return { dims, data: toDoubles(data, type), kind: kindOf(type, subject) };
}

/**
 * A feed in doubles; a Float64Array is taken as it is. `type` is what the graph declares of the value, if it does:
 * it tells booleans and half-precision bits from integers.
 */
export function fromFeed({ dims, data }: Tensor<TensorData>, type: ElementType | undefined): Value {
  if (data instanceof Float64Array || data instanceof Float32Array) {
    return floats(dims, toDoubles(data, undefined));
  }
  const half = data instanceof Uint16Array && (type === 'float16' || type === 'bfloat16');
  const kind = half ? 'float' : type === 'bool' ? 'bool' : 'int';
  return { dims, data: toDoubles(data, half ? type : undefined), kind };
}

function toDoubles(data: TensorData, type: ElementType | undefined): Float64Array {
  if (data instanceof Float64Array) return data;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return Float64Array.from(data, Number);
  }
  if (type === 'float16') return Float64Array.from(data, halfToDouble);
  if (type === 'bfloat16') return Float64Array.from(data, brainToDouble);
  return new Float64Array(data);
}

/** IEEE 754 binary16: one sign bit, five of exponent, ten of fraction. */
function halfToDouble(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** bfloat16 is the upper half of a binary32. */
function brainToDouble(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
}
