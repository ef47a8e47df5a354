import { emptyGraph, evaluate, type Graph, GraphBuilder, type PlainAttributes } from '@unitscope/onnx';
import { Random, sizeOf, type Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import {
  type CompileOptions,
  type Composite,
  compile,
  deconvnet,
  deconvolution,
  findScore,
  gradient,
  guidedBackprop,
  type Lowering,
  type Objective,
  withAssignments,
} from '../src/index.js';
import { relu } from '../src/rules/relu.js';

/** A network of two blocks, each ReLU named by `reluName`: what an exporter makes of one module, three, or none. */
function network(
  reluName: (use: number) => string,
  options: { softmax?: boolean; batch?: number } = {},
): Graph {
  const random = new Random(5);
  const builder = new GraphBuilder(emptyGraph('blocks', 18));
  const weight = (dims: number[]) =>
    builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, 0, 0.5).data }, 'w');
  const input = builder.input({ name: 'input', type: 'float32', dims: [options.batch ?? 'N', 2, 8, 8] });
  let use = 0;
  const named = (operator: string, inputs: string[], attributes: PlainAttributes = {}) =>
    builder.node(operator, inputs, attributes, operator === 'Relu' ? { name: reluName(use++) } : {});
  const stem = named('Relu', [named('Conv', [input, weight([4, 2, 3, 3])], { pads: [1, 1, 1, 1] })]);
  const inner = named('Relu', [named('Conv', [stem, weight([4, 4, 3, 3])], { pads: [1, 1, 1, 1] })]);
  const joined = named('Relu', [named('Add', [named('Conv', [inner, weight([4, 4, 1, 1])]), stem])]);
  const pooled = named('MaxPool', [joined], { kernel_shape: [3, 3], strides: [2, 2] });
  const flat = named('Flatten', [named('GlobalAveragePool', [pooled])], { axis: 1 });
  let scores = builder.node('Gemm', [flat, weight([5, 4])], { transB: 1 }, { name: 'logits' });
  if (options.softmax) scores = builder.node('Softmax', [scores], { axis: 1 }, { name: 'prob' });
  builder.output({ name: scores, type: 'float32', dims: ['N', 5] });
  return builder.build();
}

const separate = (use: number) => `relu${use + 1}/Relu`;

function picture(count = 2, seed = 9): Tensor {
  return new Random(seed).normalTensor([count, 2, 8, 8]);
}

interface Explained {
  readonly map: Float64Array;
  readonly score: Float64Array | undefined;
  readonly index: Float64Array | undefined;
}

function explain(
  graph: Graph,
  objective: Objective,
  target: readonly number[],
  composite: Composite = gradient,
  options: Partial<CompileOptions> & { input?: Tensor } = {},
): Explained {
  const wrt = options.wrt?.[0] ?? 'input';
  const compiled = compile(graph, { objective, wrt: [wrt], composite, ...options });
  const feeds = {
    input: options.input ?? picture(),
    [compiled.targetInput]: { dims: [target.length], data: BigInt64Array.from(target, BigInt) },
  };
  const values = evaluate(compiled.graph, feeds);
  const take = (name: string | undefined) => (name === undefined ? undefined : values.get(name)!.data);
  return { map: take(compiled.signals.get(wrt))!, score: take(compiled.score), index: take(compiled.index) };
}

/** dS/dx by central differences, in float64. */
function numericalGradient(score: (x: Float64Array) => number, at: Float64Array, step = 1e-6): Float64Array {
  return at.map((value, i) => {
    const shifted = at.slice();
    shifted[i] = value + step;
    const above = score(shifted);
    shifted[i] = value - step;
    return (above - score(shifted)) / (2 * step);
  });
}

function expectClose(actual: Float64Array, expected: Float64Array, tolerance: number): void {
  const scale = Math.max(...expected.map(Math.abs));
  expect(scale).toBeGreaterThan(0);
  expect(actual.length).toBe(expected.length);
  const error = Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!)));
  expect(error / scale).toBeLessThan(tolerance);
}

describe('the gradient', () => {
  const graph = network(separate);
  const value = graph.outputs[0]!.name;
  const input = picture();
  const flat = Float64Array.from(input.data);
  const scoreOf =
    (element: (values: Float64Array, sample: number) => number, of: string) => (x: Float64Array) => {
      const values = evaluate(graph, { input: { dims: input.dims, data: x } }, { outputs: [of] }).get(of)!;
      const size = sizeOf(values.dims.slice(1));
      return element(values.data.subarray(0, size), 0) + element(values.data.subarray(size), 1);
    };

  it('of a class is what finite differences give, each sample by its own target', () => {
    const { map } = explain(graph, { kind: 'class', value }, [3, 1]);
    expectClose(
      map,
      numericalGradient(
        scoreOf((s, sample) => s[sample === 0 ? 3 : 1]!, value),
        flat,
      ),
      1e-6,
    );
  });

  it('of -1 is that of the top class, and says which it was', () => {
    const scores = evaluate(graph, { input }).get(value)!.data;
    const top = [0, 1].map((n) => {
      const row = scores.slice(n * 5, n * 5 + 5);
      return row.indexOf(Math.max(...row));
    });
    const { map, index, score } = explain(graph, { kind: 'class', value }, [-1, -1]);
    expect([...index!]).toEqual(top);
    expect([...score!]).toEqual(top.map((k, n) => scores[n * 5 + k]));
    expect(map).toEqual(explain(graph, { kind: 'class', value }, top).map);
  });

  it('of a probability goes through the softmax', () => {
    const soft = (s: Float64Array, k: number) => Math.exp(s[k]!) / s.reduce((sum, x) => sum + Math.exp(x), 0);
    const { map } = explain(graph, { kind: 'class', value }, [2, 4], gradient, { softmax: true });
    expectClose(
      map,
      numericalGradient(
        scoreOf((s, n) => soft(s, n === 0 ? 2 : 4), value),
        flat,
      ),
      1e-6,
    );
  });

  const layer = graph.nodes.find((node) => node.name === 'relu3/Relu')!.outputs[0]!;

  it('of a unit at a given position', () => {
    const { map } = explain(graph, { kind: 'unit', value: layer, position: 'given' }, [64 + 20, 9]);
    expectClose(
      map,
      numericalGradient(
        scoreOf((a, n) => a[n === 0 ? 84 : 9]!, layer),
        flat,
      ),
      1e-6,
    );
  });

  it('of a unit at its strongest position', () => {
    const { map, score } = explain(graph, { kind: 'unit', value: layer, position: 'max' }, [1, 3]);
    const strongest = (a: Float64Array, n: number) =>
      Math.max(...a.subarray((n === 0 ? 1 : 3) * 64).subarray(0, 64));
    expectClose(map, numericalGradient(scoreOf(strongest, layer), flat), 1e-6);
    expect(score!.reduce((sum, s) => sum + s, 0)).toBeCloseTo(scoreOf(strongest, layer)(flat), 12);
  });

  it('of the mean of a unit', () => {
    const { map } = explain(graph, { kind: 'unit', value: layer, position: 'mean' }, [0, 2]);
    const mean = (a: Float64Array, n: number) =>
      a
        .subarray(n * 128)
        .subarray(0, 64)
        .reduce((sum, x) => sum + x, 0) / 64;
    expectClose(map, numericalGradient(scoreOf(mean, layer), flat), 1e-6);
  });

  it('with respect to a layer is the derivative of the rest of the network', () => {
    // The sum before the last ReLU: no two of its values are equal, so max pooling has no ties.
    const before = graph.nodes.find((node) => node.operator === 'Add')!.outputs[0]!;
    const { map } = explain(graph, { kind: 'class', value }, [3, 1], gradient, { wrt: [before] });
    const activation = evaluate(graph, { input }, { outputs: [before] }).get(before)!;
    const tail = (x: Float64Array) => {
      // The tail alone: ReLU, max pooling, mean, matrix product.
      let total = 0;
      const weights = graph.initializers.get(graph.nodes.at(-1)!.inputs[1]!)!.data as Float32Array;
      for (let n = 0; n < 2; n++) {
        for (let c = 0; c < 4; c++) {
          let sum = 0;
          for (let y = 0; y < 3; y++) {
            for (let z = 0; z < 3; z++) {
              let best = 0;
              for (let i = 0; i < 9; i++) {
                best = Math.max(
                  best,
                  x[n * 256 + c * 64 + (2 * y + Math.floor(i / 3)) * 8 + 2 * z + (i % 3)]!,
                );
              }
              sum += best;
            }
          }
          total += (weights[(n === 0 ? 3 : 1) * 4 + c]! * sum) / 9;
        }
      }
      return total;
    };
    // At 0 exactly the ReLU has a kink, where its derivative is 0 by convention.
    const expected = numericalGradient(tail, activation.data).map((g, i) =>
      activation.data[i] === 0 ? 0 : g,
    );
    expectClose(map, expected, 1e-6);
  });

  it('of a given seed is the vector-Jacobian product', () => {
    const compiled = compile(graph, {
      objective: { kind: 'seed', value },
      wrt: ['input'],
      composite: gradient,
    });
    const seed = { dims: [2, 5], data: Float64Array.from([1, -2, 0, 0.5, 3, 0, 1, 1, -1, 2]) };
    const map = evaluate(compiled.graph, { input, [compiled.targetInput]: seed }).get(
      compiled.signals.get('input')!,
    )!;
    const product = scoreOf((s, n) => s.reduce((sum, x, k) => sum + x * seed.data[n * 5 + k]!, 0), value);
    expectClose(map.data, numericalGradient(product, flat), 1e-6);
  });
});

describe('a ReLU cannot be missed', () => {
  const names: Record<string, (use: number) => string> = {
    'one shared module': (use) => (use === 0 ? 'relu/Relu' : `relu_${use}/Relu`),
    functional: () => 'Relu',
    'separate modules': separate,
  };

  it.each([guidedBackprop, deconvolution, deconvnet, gradient])(
    '$name: equal maps however it was written',
    (composite) => {
      const maps = Object.values(names).map((name) => {
        const graph = network(name);
        return explain(graph, { kind: 'class', value: graph.outputs[0]!.name }, [0, 1], composite).map;
      });
      expect(maps[1]).toEqual(maps[0]);
      expect(maps[2]).toEqual(maps[0]);
    },
  );

  it('and the methods differ from each other', () => {
    const graph = network(separate);
    const maps = [gradient, guidedBackprop, deconvolution].map((composite) =>
      explain(graph, { kind: 'class', value: graph.outputs[0]!.name }, [0, 1], composite).map.join(),
    );
    expect(new Set(maps).size).toBe(3);
  });
});

describe('compile', () => {
  const graph = network(separate);
  const value = graph.outputs[0]!.name;
  const objective: Objective = { kind: 'class', value };

  it('leaves no operator of our own in a portable graph, and keeps them in a native one', () => {
    const domains = (lowering: Lowering) =>
      new Set(
        compile(graph, { objective, wrt: ['input'], composite: gradient, lowering }).graph.nodes.map(
          (n) => n.domain,
        ),
      );
    expect(domains('portable')).toEqual(new Set(['']));
    expect(domains({ kind: 'native' })).toEqual(new Set(['', 'unitscope']));
  });

  it('does not change the graph it is given', () => {
    const before = JSON.stringify(graph.nodes);
    compile(graph, { objective, wrt: ['input'], composite: guidedBackprop });
    expect(JSON.stringify(graph.nodes)).toBe(before);
  });

  it('says which rule every node got', () => {
    const { plan } = compile(graph, { objective, wrt: ['input'], composite: guidedBackprop });
    expect(plan.filter((line) => line.operator === 'Relu').map((line) => line.rule)).toEqual(
      new Array(3).fill('relu.guided'),
    );
    expect(plan[0]!.operator).toBe('Conv');
  });

  it('takes the first assignment that matches, by name, pattern and position', () => {
    const rules = (assignments: Composite['assignments']) =>
      compile(graph, { objective, wrt: ['input'], composite: withAssignments(guidedBackprop, assignments) })
        .plan.filter((line) => line.operator === 'Relu')
        .map((line) => line.rule);
    const [g, d] = ['relu.guided', 'relu.deconvnet'];
    expect(rules([{ rule: relu.deconvnet, node: 'relu2/Relu' }])).toEqual([g, d, g]);
    expect(rules([{ rule: relu.deconvnet, node: /relu[12]/ }])).toEqual([d, d, g]);
    expect(rules([{ rule: relu.deconvnet, position: 'first' }])).toEqual([d, g, g]);
    expect(rules([{ rule: relu.deconvnet, position: 'last' }])).toEqual([g, g, d]);
  });

  it('names the value that is not there', () => {
    expect(() =>
      compile(graph, {
        objective: { kind: 'class', value: 'logit:out' },
        wrt: ['input'],
        composite: gradient,
      }),
    ).toThrow('no value "logit:out"; did you mean "logits:out"?');
  });

  it('names the node that has no rule', () => {
    const builder = new GraphBuilder(graph);
    builder.setOutputs([]);
    const made = builder.node('NonMaxSuppression', [value, value], {}, { name: 'boxes' });
    const odd = builder.node('Det', [made], {}, { name: 'determinant' });
    builder.output({ name: odd, type: 'float32', dims: ['N', 5] });
    expect(() =>
      compile(builder.build(), {
        objective: { kind: 'class', value: odd },
        wrt: ['input'],
        composite: gradient,
      }),
    ).toThrow(/determinant \(Det\)|boxes \(NonMaxSuppression\)/);
  });

  it('refuses an objective that does not depend on what is asked', () => {
    const layer = graph.nodes[1]!.outputs[0]!;
    const last = graph.nodes.at(-1)!.outputs[0]!;
    expect(() =>
      compile(graph, {
        objective: { kind: 'unit', value: layer, position: 'max' },
        wrt: [last],
        composite: gradient,
      }),
    ).toThrow('does not depend on');
  });

  it('refuses to rectify through a softmax', () => {
    expect(() =>
      compile(graph, { objective, wrt: ['input'], composite: guidedBackprop, softmax: true }),
    ).toThrow('guided-backprop is not defined through');
  });

  it('folds batch normalisation without changing the map', () => {
    const random = new Random(3);
    const builder = new GraphBuilder(emptyGraph('norm', 15));
    const input = builder.input({ name: 'input', type: 'float32', dims: ['N', 2, 8, 8] });
    const constant = (dims: number[], mean: number) =>
      builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, mean, 0.2).data });
    const conv = builder.node('Conv', [input, constant([3, 2, 3, 3], 0), constant([3], 0)]);
    const norm = builder.node('BatchNormalization', [
      conv,
      constant([3], 1),
      constant([3], 0),
      constant([3], 0),
      constant([3], 2),
    ]);
    const flat = builder.node('Flatten', [builder.node('Relu', [norm])], { axis: 1 });
    const scores = builder.node('Gemm', [flat, constant([4, 108], 0)], { transB: 1 });
    builder.output({ name: scores, type: 'float32', dims: ['N', 4] });
    const net = builder.build();
    const aim: Objective = { kind: 'class', value: scores };
    const folded = compile(net, { objective: aim, wrt: ['input'], composite: gradient });
    expect(folded.plan.map((line) => line.operator)).not.toContain('BatchNormalization');
    // With the convolution's output kept as an output of the graph, nothing can be folded.
    const kept = explain(net, aim, [1, 2], gradient, { outputs: [conv] });
    expectClose(explain(net, aim, [1, 2]).map, kept.map, 1e-6);
  });
});

describe('Dropout', () => {
  const withDropout = (ratio: number, training: boolean) => {
    const builder = new GraphBuilder(emptyGraph('dropout', 18));
    const input = builder.input({ name: 'input', type: 'float32', dims: ['N', 4] });
    const flag = builder.constant({ type: 'bool', dims: [], data: Uint8Array.of(training ? 1 : 0) });
    const [kept] = builder.nodes('Dropout', [input, builder.floats(ratio), flag], 2, {}, { name: 'drop' });
    const scores = builder.node('Gemm', [kept!, builder.floats([1, 2, 3, 4], [4, 1])]);
    builder.output({ name: scores, type: 'float32', dims: ['N', 1] });
    return builder.build();
  };
  const explained = (graph: Graph) => {
    const objective: Objective = { kind: 'class', value: graph.outputs[0]!.name };
    return explain(graph, objective, [0], gradient, { input: new Random(1).normalTensor([1, 4]) }).map;
  };

  it('is passed through at inference, and in training mode with nothing to drop', () => {
    for (const graph of [withDropout(0.5, false), withDropout(0, true)]) {
      expect([...explained(graph)]).toEqual([1, 2, 3, 4]);
    }
  });

  it('is refused in training mode, by its name', () => {
    expect(() => explained(withDropout(0.5, true))).toThrow('drop (Dropout) cannot be differentiated');
  });
});

describe('findScore', () => {
  it('finds what enters the softmax', () => {
    const graph = network(separate, { softmax: true });
    expect(findScore(graph)).toEqual({ logits: 'logits:out', probability: 'prob:out' });
  });

  it('takes the output where there is no softmax', () => {
    expect(findScore(network(separate))).toEqual({ logits: 'logits:out', probability: undefined });
  });
});
