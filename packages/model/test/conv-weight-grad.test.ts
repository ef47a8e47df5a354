import { lowerGraph } from '@unitscope/autodiff';
import { emptyGraph, evaluate, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, openEngine } from '../src/index.js';

let engine: Engine | undefined;
beforeAll(async () => {
  engine = await openEngine('native').catch(() => undefined);
  if (engine === undefined) console.warn('skipped: the engine native cannot be used here');
});
afterAll(() => engine?.close());

const axis = fc.record({
  size: fc.integer({ min: 1, max: 20 }),
  cells: fc.integer({ min: 1, max: 20 }),
  kernel: fc.integer({ min: 1, max: 5 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  pad: fc.integer({ min: 0, max: 4 }),
});

describe('ConvWeightGrad on the engine native', () => {
  it('is what standard operators compute in float64, for every geometry', async () => {
    const native = engine;
    if (native === undefined) return;
    const geometry = fc.record({
      axes: fc.tuple(axis, axis),
      groups: fc.integer({ min: 1, max: 3 }),
      perGroup: fc.integer({ min: 1, max: 9 }),
      rows: fc.integer({ min: 1, max: 9 }),
      batch: fc.integer({ min: 1, max: 5 }),
      seed: fc.nat(99),
    });
    await fc.assert(
      fc.asyncProperty(geometry, async ({ axes, groups, perGroup, rows, batch, seed }) => {
        // In standard operators the last window ends in the padded map or at its end.
        const kernel = axes.map((one) => one.kernel);
        const shape = [groups * rows, perGroup, ...kernel];
        const slid = [batch, groups * perGroup, ...axes.map(({ size }) => size)];
        const fixed = [batch, groups * rows, ...axes.map(({ cells }) => cells)];
        const graph = node(slid, fixed, {
          shape,
          strides: axes.map(({ stride }) => stride),
          dilations: axes.map(({ dilation }) => dilation),
          pads: axes.map(({ pad }) => pad),
        });
        const random = new Random(seed);
        const feeds = { slid: random.normalTensor(slid), fixed: random.normalTensor(fixed) };
        const wanted = evaluate(lowerGraph(graph), feeds).values().next().value!;
        const session = await native.load(graph);
        const { dims, data } = (await session.run(feeds))[graph.outputs[0]!.name]!;
        await session.release();
        expect(dims).toEqual(shape);
        const scale = wanted.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        wanted.data.forEach((value, i) => {
          expect(Math.abs(Number(data[i]) - value)).toBeLessThanOrEqual(2e-6 * scale);
        });
      }),
      { numRuns: 60, seed: 3 },
    );
  }, 20_000);
});

function node(
  slid: readonly number[],
  fixed: readonly number[],
  attributes: Readonly<Record<string, readonly number[]>>,
): Graph {
  const builder = new GraphBuilder(emptyGraph('weights', 18));
  const inputs = [
    builder.input({ name: 'slid', type: 'float32', dims: slid }),
    builder.input({ name: 'fixed', type: 'float32', dims: fixed }),
  ];
  const made = builder.node('ConvWeightGrad', inputs, attributes, { domain: 'unitscope' });
  builder.output({ name: made, type: 'float32', dims: attributes['shape'] });
  return builder.build();
}
