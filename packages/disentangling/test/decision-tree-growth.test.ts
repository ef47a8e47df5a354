import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Growth } from '../src/decision-tree/growth.js';
import { parametersOf } from '../src/decision-tree/learn.js';
import {
  ASSIGNMENTS,
  type DecisionTree,
  depthOf,
  type LearnOptions,
  learnDecisionTree,
  measureTree,
  parse,
  predict,
  referenceArithmetic,
  similarity,
  type TreeNode,
  type TreeParameters,
  type TreeSamples,
} from '../src/index.js';
import { randomSamples } from './support/random-samples.js';

/** log E from its definition, of any second layer. */
function logEOf(layer: readonly TreeNode[], samples: TreeSamples, parameters: TreeParameters): number {
  const h = samples.positive.map((positive, n) => {
    const own = layer.find(({ members }) => members.includes(n));
    if (positive && parameters.assignment === 'membership') return predict(own!, samples, n);
    const cosines = layer.map((node) => similarity(node, samples, n));
    return predict(layer[cosines.indexOf(Math.max(...cosines))]!, samples, n);
  });
  const theta = h.reduce((sum, value) => sum + Math.exp(parameters.gamma * value), 0);
  return h.reduce(
    (sum, value, n) => (samples.positive[n] ? sum + parameters.gamma * value - Math.log(theta) : sum),
    -parameters.beta * layer.length,
  );
}

const shapes = fc.record({
  positives: fc.integer({ min: 2, max: 9 }),
  negatives: fc.integer({ min: 0, max: 6 }),
  filters: fc.integer({ min: 1, max: 6 }),
  seed: fc.integer({ min: 0, max: 1e6 }),
});

describe('growth', () => {
  it('gains are the change of log E, for every pair and after every merge', async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fc.constantFrom(...ASSIGNMENTS),
        fc.boolean(),
        fc.constantFrom(2, Number.POSITIVE_INFINITY),
        async (shape, assignment, binary, neighbours) => {
          const samples = randomSamples(shape);
          const parameters = parametersOf(samples, { assignment, binary, neighbours, beta: 0.3 });
          const growth = await Growth.begin(samples, parameters, referenceArithmetic(samples));
          for (;;) {
            const layer = growth.top.map((id) => growth.nodes[id]!);
            const before = logEOf(layer, samples, parameters);
            expect(growth.logE).toBeCloseTo(before, 8);
            for (const { pair, gain, node } of growth.gains()) {
              const kept = layer.filter(({ id }) => !pair.includes(id));
              const after = logEOf([...kept, { ...node, id: -1 }], samples, parameters);
              expect(gain).toBeCloseTo(after - before, 8);
            }
            if (!(await growth.step())) break;
            const merged = growth.top.map((id) => growth.nodes[id]!);
            const gained = logEOf(merged, samples, parameters) - before;
            expect(growth.merges.at(-1)!.gain).toBeCloseTo(gained, 8);
            expect(gained).toBeGreaterThan(0);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('goes on from any merge as if it had not stopped', async () => {
    const samples = randomSamples({ positives: 12, negatives: 5, filters: 5, seed: 3 });
    const whole = await learnDecisionTree(samples, { neighbours: 3 });
    expect(whole.merges.length).toBeGreaterThan(3);
    for (let stop = 1; stop < whole.merges.length; stop++) {
      const controller = new AbortController();
      let saved = '';
      const onState: LearnOptions['onState'] = (state) => {
        saved = JSON.stringify(state());
        if (JSON.parse(saved).merged.length === stop) controller.abort();
      };
      const options = { neighbours: 3, signal: controller.signal, onState };
      await expect(learnDecisionTree(samples, options)).rejects.toMatchObject({ code: 'aborted' });
      expect(await learnDecisionTree(samples, { neighbours: 3, state: JSON.parse(saved) })).toEqual({
        ...whole,
        startingLogE: expect.closeTo(whole.startingLogE, 9),
      });
    }
  });

  it('by the kernels makes the same tree', async () => {
    const samples = randomSamples({ positives: 12, negatives: 8, filters: 6, seed: 21 });
    const options = { lambda: 0.05, neighbours: 5 };
    const tree = await learnDecisionTree(samples, options);
    const exact = referenceArithmetic(samples, { tolerance: 1e-12, maxSweeps: 20000 });
    const slow = await learnDecisionTree(samples, { ...options, arithmetic: exact });
    expect(tree.merges.map(({ pair }) => pair)).toEqual(slow.merges.map(({ pair }) => pair));
    for (const [i, { b, w }] of tree.nodes.entries()) {
      expect(b).toBeCloseTo(slow.nodes[i]!.b, 3);
      for (const [d, weight] of w.entries()) expect(weight).toBeCloseTo(slow.nodes[i]!.w[d]!, 3);
    }
  });

  it('refuses pairs whose gradients cancel', async () => {
    const g = Float64Array.from([1, 0, -1, 0]);
    const samples = randomSamples({ positives: 2, negatives: 1, filters: 2, seed: 1 }, g);
    const parameters = parametersOf({ ...samples, y: samples.y.map(Math.abs) }, { beta: 100 });
    const growth = await Growth.begin(samples, parameters, referenceArithmetic(samples));
    expect(await growth.step()).toBe(false);
    expect(growth.state().refused).toEqual(['0,1']);
  });
});

describe('a tree', () => {
  it('leads every positive picture to its own leaf, where the prediction is exact', async () => {
    const samples = randomSamples({ positives: 9, negatives: 4, filters: 5, seed: 11 });
    const tree: DecisionTree = await learnDecisionTree(samples, { beta: 100 });
    expect(tree.top).toHaveLength(1);
    const leaves = tree.nodes.filter(({ children }) => children.length === 0);
    for (const leaf of leaves) {
      const [n] = leaf.members;
      expect(predict(leaf, samples, n!)).toBeCloseTo(samples.y[n!]!, 10);
    }
    const path = parse(tree, samples, 0);
    expect(path.nodes[0]!.id).toBe(tree.top[0]);
    for (const [i, node] of path.nodes.slice(1).entries()) expect(path.nodes[i]!.children).toContain(node.id);
    expect(path.nodes.at(-1)!.children).toEqual([]);
  });

  it('is measured by depth, down to leaves that are exact', async () => {
    const g = Float64Array.from([1, 0.1, 0.1, 1]);
    const samples = randomSamples({ positives: 2, negatives: 0, filters: 2, seed: 2 }, g);
    const tree = await learnDecisionTree(samples, { beta: 100 });
    const { depths, networkAccuracy } = measureTree(tree, samples);
    expect(depths).toHaveLength(depthOf(tree));
    expect(depths[0]!.nodes).toBe(1);
    expect(depths.at(-1)).toMatchObject({ nodes: 2, agreement: 1 });
    expect(depths.at(-1)!.predictionError).toBeCloseTo(0, 10);
    expect(depths.at(-1)!.fitness).toBeCloseTo(1, 10);
    expect(depths.at(-1)!.accuracy).toBe(networkAccuracy);
    expect(depths[0]!.fitness).toBeLessThan(1);
  });
});

describe('what cannot be', () => {
  const samples = randomSamples({ positives: 3, negatives: 2, filters: 2, seed: 1 });
  it.each([
    [{ beta: -1 }, /beta must be a number of at least 0/],
    [{ lambda: Number.NaN }, /lambda must be a number/],
    [{ neighbours: 0 }, /neighbours must be at least 1/],
  ])('%j', async (options, message) => {
    await expect(learnDecisionTree(samples, options)).rejects.toThrow(message);
  });

  it('one positive picture, or scores that say no', async () => {
    const one = { ...samples, positive: [true, false, false, false, false] };
    await expect(learnDecisionTree(one)).rejects.toThrow(
      /at least two pictures of the category, there is one/,
    );
    const no = { ...samples, y: samples.y.map((value) => -Math.abs(value)) };
    await expect(learnDecisionTree(no)).rejects.toThrow(/mean score of the positive pictures is -/);
  });
});
