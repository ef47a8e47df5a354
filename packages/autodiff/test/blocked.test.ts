import { evaluate, type Graph } from '@unitscope/onnx';
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
