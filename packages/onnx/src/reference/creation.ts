import { intAttribute, tensorAttribute } from '../graph.js';
import { product } from './indexing.js';
import { nodeError, type Operator, required, scalarOf } from './operator.js';
import { booleans, floats, fromConstant, ints } from './value.js';

export const constant: Operator = (node) => {
  for (const [name, attribute] of node.attributes) {
    if (name === 'value' && attribute.kind === 'tensor') {
      return [fromConstant(attribute.value, node.outputs[0] ?? node.name)];
    }
    if (name === 'value_float' && attribute.kind === 'float')
      return [floats([], Float64Array.of(attribute.value))];
    if (name === 'value_int' && attribute.kind === 'int') return [ints([], Float64Array.of(attribute.value))];
    if (name === 'value_floats' && attribute.kind === 'floats') {
      return [floats([attribute.value.length], Float64Array.from(attribute.value))];
    }
    if (name === 'value_ints' && attribute.kind === 'ints') {
      return [ints([attribute.value.length], Float64Array.from(attribute.value))];
    }
  }
  throw nodeError('unsupported', node, 'its value is no tensor or list of numbers');
};

/** A tensor of the shape in input 0, filled with the attribute's one value; float zero by default. */
export const constantOfShape: Operator = (node, inputs) => {
  const dims = Array.from(required(node, inputs, 0).data);
  const stated = tensorAttribute(node, 'value');
  const filler = stated === undefined ? undefined : fromConstant(stated, node.name);
  const value = filler === undefined ? 0 : scalarOf(node, filler);
  return [{ dims, data: new Float64Array(product(dims)).fill(value), kind: filler?.kind ?? 'float' }];
};

/** The dims from `start` to `end` (excluded), clamped to the rank. */
export const shape: Operator = (node, inputs) => {
  const { dims } = required(node, inputs, 0);
  const part = dims.slice(intAttribute(node, 'start', 0), intAttribute(node, 'end', dims.length));
  return [ints([part.length], Float64Array.from(part))];
};

export const size: Operator = (node, inputs) => [
  ints([], Float64Array.of(required(node, inputs, 0).data.length)),
];

/** start, start + delta, … as long as it is before the limit. */
export const range: Operator = (node, inputs) => {
  const first = required(node, inputs, 0);
  const start = scalarOf(node, first);
  const limit = scalarOf(node, required(node, inputs, 1));
  const delta = scalarOf(node, required(node, inputs, 2));
  if (delta === 0) throw nodeError('bad-input', node, 'a delta of 0');
  const length = Math.max(0, Math.ceil((limit - start) / delta));
  const data = Float64Array.from({ length }, (_, i) => start + i * delta);
  return [{ dims: [length], data, kind: first.kind }];
};

/** Without training, the input itself; output 1 is a mask that keeps everything. */
export const dropout: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const training = inputs[2] !== undefined && scalarOf(node, inputs[2]) !== 0;
  const ratio = inputs[1] === undefined ? 0.5 : scalarOf(node, inputs[1]);
  if (training && ratio !== 0) {
    throw nodeError('unsupported', node, 'training mode is random; set it to false to evaluate the node');
  }
  return [x, booleans(x.dims, new Float64Array(x.data.length).fill(1))];
};

/** The wrap-around of the integer types narrower than a double's 53 bits. */
const INTEGERS: ReadonlyMap<number, (x: number) => number> = new Map([
  [2, (x) => Uint8Array.of(x)[0]!],
  [3, (x) => Int8Array.of(x)[0]!],
  [4, (x) => Uint16Array.of(x)[0]!],
  [5, (x) => Int16Array.of(x)[0]!],
  [6, (x) => Int32Array.of(x)[0]!],
  [7, (x) => x],
  [12, (x) => Uint32Array.of(x)[0]!],
  [13, (x) => x],
]);
const FLOATS: ReadonlySet<number> = new Set([1, 10, 11, 16]);
const BOOL = 9;

/**
 * To another element type (numbered as in TensorProto.DataType). Floats become integers by truncation towards zero;
 * among floats nothing is rounded, since everything here is double precision.
 */
export const cast: Operator = (node, inputs) => {
  const x = required(node, inputs, 0);
  const to = intAttribute(node, 'to', 0);
  if (FLOATS.has(to)) return [{ dims: x.dims, data: x.data, kind: 'float' }];
  if (to === BOOL)
    return [
      booleans(
        x.dims,
        x.data.map((value) => (value === 0 ? 0 : 1)),
      ),
    ];
  const wrap = INTEGERS.get(to);
  if (wrap === undefined) {
    throw nodeError('unsupported', node, `element type ${to}; numbers and booleans only`);
  }
  return [
    ints(
      x.dims,
      x.data.map((value) => wrap(Math.trunc(value))),
    ),
  ];
};
