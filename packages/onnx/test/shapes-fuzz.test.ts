import { UnitscopeError } from '@unitscope/tensor';
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import {
  type Constant,
  emptyGraph,
  type Graph,
  GraphBuilder,
  inferShapes,
  type PlainAttributes,
} from '../src/index.js';
import { SHAPE_RULES } from '../src/shapes/registry.js';

vi.setConfig({ testTimeout: 120_000 });

const extreme = fc.constantFrom(-(2 ** 63), -(2 ** 31), -3, 2 ** 31, 2 ** 40, 2 ** 62, 2 ** 63);
const small = fc.integer({ min: -3, max: 6 });
const integer = fc.oneof({ weight: 12, arbitrary: small }, { weight: 1, arbitrary: extreme });
const list = fc.array(integer, { maxLength: 6 });
const dim = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('N', 'M'));
const dims = fc.array(dim, { maxLength: 5 });

const vector = list.map(
  (values): Constant => ({
    type: 'int64',
    dims: [values.length],
    data: BigInt64Array.from(values, (value) => BigInt.asIntN(64, BigInt(value))),
  }),
);
const weight = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }).map((sizes): Constant => {
  const count = sizes.reduce((product, size) => product * size, 1);
  return { type: 'float32', dims: sizes, data: new Float32Array(count).fill(1.5) };
});

const NAMES = [
  'axis',
  'axes',
  'keepdims',
  'perm',
  'pads',
  'strides',
  'dilations',
  'kernel_shape',
  'auto_pad',
].concat(
  [
    'group',
    'output_shape',
    'output_padding',
    'ceil_mode',
    'split',
    'num_outputs',
    'starts',
    'ends',
    'blocksize',
  ],
  ['to', 'dtype', 'start', 'end', 'k', 'batch_dims', 'allowzero', 'value', 'value_ints', 'scales', 'transA'],
);
const attribute = fc.oneof(
  integer,
  list,
  vector,
  weight,
  fc.constantFrom('SAME_UPPER', 'VALID', 'odd'),
  list.map((values) => ({ floats: values })),
);
const attributes: fc.Arbitrary<PlainAttributes> = fc.dictionary(fc.constantFrom(...NAMES), attribute, {
  maxKeys: 4,
});

const step = fc.record({
  operator: fc.constantFrom('Shape', 'Gather', 'Concat', 'Reshape', ...SHAPE_RULES.keys()),
  inputs: fc.array(fc.nat({ max: 60 }), { maxLength: 5 }),
  constants: fc.array(fc.oneof(vector, weight), { maxLength: 3 }),
  attributes,
  outputs: fc.integer({ min: 1, max: 3 }),
});

function graphFrom(
  opset: number,
  inputDims: readonly (readonly (number | string)[])[],
  steps: readonly Step[],
): Graph {
  const builder = new GraphBuilder(emptyGraph('fuzz', opset));
  const values = inputDims.map((sizes, i) => builder.input({ name: `x${i}`, type: 'float32', dims: sizes }));
  for (const { operator, inputs, constants, attributes: given, outputs } of steps) {
    const chosen = inputs.map((at) => (at === 60 ? '' : values[at % values.length]!));
    const fixed = constants.map((constant) => builder.constant(constant));
    values.push(...builder.nodes(operator, [...chosen, ...fixed], outputs, given));
  }
  return builder.build();
}

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

it('gives valid dims or a typed error for any graph, whatever its attributes', () => {
  let inferred = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(7, 10, 11, 13, 18, 21),
      fc.array(dims, { minLength: 1, maxLength: 3 }),
      fc.array(step, { minLength: 1, maxLength: 3 }),
      (opset, inputDims, steps) => {
        const graph = graphFrom(opset, inputDims, steps);
        try {
          const shapes = inferShapes(graph);
          for (const name of graph.nodes.flatMap((node) => node.outputs)) {
            for (const size of shapes.dims(name) ?? []) {
              expect(typeof size === 'string' || (Number.isSafeInteger(size) && size >= 0)).toBe(true);
            }
            const constant = shapes.constant(name);
            if (constant !== undefined) {
              expect(constant.dims).toEqual(shapes.dims(name));
              expect(constant.data.length).toBe(constant.dims.reduce((product, size) => product * size, 1));
            }
          }
          inferred++;
        } catch (error) {
          if (!(error instanceof UnitscopeError)) throw error;
          expect(error.code).toBe('bad-file');
          expect(error.message.length).toBeLessThan(2000);
        }
      },
    ),
    { numRuns: 4000, seed: 9 },
  );
  // The graphs are not all refused at once.
  expect(inferred).toBeGreaterThan(500);
});
