import { emptyGraph, evaluate, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blockGraph,
  type CompiledPullback,
  type Composite,
  compile,
  deconvolution,
  gradient,
  guidedBackprop,
  type Lowering,
} from '../src/index.js';
import { runOnRuntime } from './support/check-rule.js';
import { withoutInterleaves } from './support/interleave.js';
import { blockedOperators } from './support/nchwc-operators.js';
import { networkOptions, randomNetwork, steps } from './support/random-network.js';

function picture(graph: Graph, seed: number, batch = 2): Tensor {
  return new Random(seed).normalTensor([batch, ...graph.inputs[0]!.dims!.slice(1).map(Number)]);
}

/** ||a - b|| / ||b||. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  return Math.sqrt(difference / (norm === 0 ? 1 : norm));
}

const BLOCKS = [8, 16] as const;

/**
 * Evaluated in double precision, the graphs differ by constants that are rounded to float32: weights of normalizations,
 * shares of means. Each is off by 2^-24 at most, and ten layers pass errors on without making them larger than that.
 */
const TOLERANCE = 16 * 2 ** -24;

describe('the blocked graph of a forward pass', () => {
  it('is what the plain one computes, in double precision', () => {
    fc.assert(
      fc.property(steps, networkOptions, (list, options) => {
        const graph = randomNetwork(list, options);
        const input = picture(graph, options.seed);
        const [wanted] = evaluate(graph, { input }).values();
        for (const block of BLOCKS) {
          const { graph: blocked } = blockGraph(graph, { block });
          expect(blocked.outputs).toEqual(graph.outputs);
          const [got] = evaluate(blocked, { input }, { operators: blockedOperators(block) }).values();
          expect(distance(got!.data, wanted!.data)).toBeLessThan(TOLERANCE);
        }
      }),
      { numRuns: 30, seed: 1 },
    );
  }, 120_000);

  it('runs on ONNX Runtime as the plain one', async () => {
    await fc.assert(
      fc.asyncProperty(steps, networkOptions, async (list, options) => {
        const graph = randomNetwork(list, options);
        const feeds = { input: picture(graph, options.seed) };
        const blocked = withoutInterleaves(blockGraph(graph, { block: 8 }).graph);
        const [wanted] = (await runOnRuntime(graph, feeds)).values();
        const [got] = (await runOnRuntime(blocked, feeds)).values();
        expect(distance(got!.data, wanted!.data)).toBeLessThan(1e-5);
      }),
      { numRuns: 60, seed: 2 },
    );
  }, 120_000);
});

describe('a transposed convolution', () => {
  const geometries = fc.record({
    inputs: fc.constantFrom(4, 8, 16),
    outputs: fc.constantFrom(1, 2, 3, 8, 12),
    groups: fc.constantFrom('one', 'one', 'depthwise', 'two'),
    kernel: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3 })),
    strides: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 })),
    dilations: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 2 })),
    pads: fc.array(fc.nat({ max: 5 }), { minLength: 4, maxLength: 4 }),
    extra: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 2 })),
    size: fc.tuple(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 2, max: 6 })),
    bias: fc.boolean(),
  });

  it('is its phases, whatever its geometry', () => {
    let blockedOnes = 0;
    fc.assert(
      fc.property(geometries, (geometry) => {
        const { inputs, outputs, kernel, strides, dilations, extra, size } = geometry;
        const groups = geometry.groups === 'one' ? 1 : geometry.groups === 'two' ? 2 : inputs;
        const perGroup = geometry.groups === 'depthwise' ? 1 : outputs;
        const outputPadding = extra.map((count, axis) => Math.min(count, strides[axis]! - 1));
        const full = size.map(
          (count, axis) =>
            strides[axis]! * (count - 1) + outputPadding[axis]! + dilations[axis]! * (kernel[axis]! - 1) + 1,
        );
        // At least one row and one column are left.
        const pads = geometry.pads.map((pad, i) => Math.min(pad, Math.floor((full[i % 2]! - 1) / 2)));
        const random = new Random(inputs * 31 + outputs);
        const builder = new GraphBuilder(emptyGraph('transposed', 18));
        const x = builder.input({ name: 'input', type: 'float32', dims: [2, inputs, ...size] });
        const constant = (dims: readonly number[]) =>
          builder.constant({ type: 'float32', dims, data: random.normalTensor(dims).data });
        const weights = [constant([inputs, perGroup, ...kernel])];
        if (geometry.bias) weights.push(constant([perGroup * groups]));
        const attributes = { strides, dilations, pads, output_padding: outputPadding, group: groups };
        const signal = builder.node('Conv', [x, constant([inputs, inputs, 1, 1])]);
        const y = builder.node('ConvTranspose', [signal, ...weights], attributes);
        builder.output({ name: y, type: 'float32', dims: undefined });
        const graph = builder.build();
        const input = new Random(5).normalTensor([2, inputs, ...size]);
        const [wanted] = evaluate(graph, { input }).values();
        for (const block of BLOCKS) {
          const { graph: blocked } = blockGraph(graph, { block });
          const [got] = evaluate(blocked, { input }, { operators: blockedOperators(block) }).values();
          expect(got!.dims).toEqual(wanted!.dims);
          // The same float32 weights, only in another order.
          expect(distance(got!.data, wanted!.data)).toBeLessThan(1e-14);
          if (blocked.nodes.every(({ operator }) => operator !== 'ConvTranspose')) blockedOnes++;
        }
      }),
      { numRuns: 300, seed: 4 },
    );
    expect(blockedOnes).toBeGreaterThan(300);
  }, 120_000);
});

describe('a forward and backward pass', () => {
  const signalOf = (compiled: CompiledPullback, input: Tensor, block: 8 | 16 = 8) => {
    const target = { dims: [2], data: BigInt64Array.of(1n, 3n) };
    const feeds = { input, [compiled.targetInput]: target };
    const operators = blockedOperators(block);
    return evaluate(compiled.graph, feeds, { operators }).get(compiled.signals.get('input')!)!;
  };

  it('is the portable one, native and blocked', () => {
    const composites = fc.constantFrom<Composite>(gradient, guidedBackprop, deconvolution);
    fc.assert(
      fc.property(steps, networkOptions, composites, (list, options, composite) => {
        const graph = randomNetwork(list, options);
        const input = picture(graph, options.seed);
        const compiled = (lowering: Lowering) =>
          compile(graph, {
            objective: { kind: 'class', value: graph.outputs[0]!.name },
            wrt: ['input'],
            composite,
            lowering,
          });
        const wanted = signalOf(compiled('portable'), input);
        const native = signalOf(compiled({ kind: 'native' }), input);
        expect(distance(native.data, wanted.data)).toBeLessThan(TOLERANCE);
        for (const block of BLOCKS) {
          const { data } = signalOf(compiled({ kind: 'blocked', block }), input, block);
          expect(distance(data, wanted.data)).toBeLessThan(TOLERANCE);
        }
      }),
      { numRuns: 30, seed: 3 },
    );
  }, 120_000);
});
