import { decodeState, encodeState } from '@unitscope/metrics';
import { emptyGraph, evaluate, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random, type Tensor, type TensorData } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import {
  type FilterLossTerm,
  type FilterLossTermOptions,
  filterLossTerm,
  InterpretableLayer,
  type InterpretableLayerOptions,
} from '../src/index.js';
import { expectClose, largestOf, randomMaps, runOnRuntime } from './support/arrays.js';

interface TermGraph {
  readonly graph: Graph;
  readonly total: string;
  readonly outputs: readonly string[];
}

/** A graph of nothing but the term: its maps and the signal are inputs. */
function termGraph(term: FilterLossTerm, dims: readonly (number | string)[], slopeInput?: string): TermGraph {
  const builder = new GraphBuilder(emptyGraph('term', 18));
  builder.input({ name: 'maps', type: 'float32', dims });
  builder.input({ name: 'signal', type: 'float32', dims });
  if (slopeInput !== undefined)
    builder.input({ name: slopeInput, type: 'float32', dims: [Number(dims[1]), 1, 1] });
  const outputs: string[] = [];
  const total = term.injections[0].emit({
    ...{ value: 'maps', signal: 'signal', builder },
    input: (name, type, inputDims) => builder.input({ name, type, dims: inputDims }),
    output: (name, value, type, outputDims) => {
      builder.append({
        ...{ name, operator: 'Identity', domain: '', inputs: [value], outputs: [name] },
        attributes: new Map(),
      });
      outputs.push(name);
      builder.output({ name, type, dims: outputDims });
    },
  });
  builder.output({ name: total, type: 'float32', dims });
  return { graph: builder.build(), total, outputs };
}

type Run = (
  graph: Graph,
  feeds: Readonly<Record<string, Tensor<TensorData>>>,
) => Promise<ReadonlyMap<string, Tensor<TensorData>>>;

const onRuntime: Run = async (graph, feeds) => new Map(Object.entries(await runOnRuntime(graph, feeds)));
/** In float64, results rounded once. */
const exactly: Run = async (graph, feeds) =>
  new Map(
    [...evaluate(graph, feeds)].map(([name, { dims, data }]) => [
      name,
      { dims, data: Float32Array.from(data) },
    ]),
  );

const cases: readonly (readonly [string, InterpretableLayerOptions])[] = [
  ['paper, one template', {}],
  ['paper, frozen Z', { zMode: 'frozen' }],
  ['paper, exact Z', { zMode: 'exact', alpha: 0.5, beta: 3 }],
  ['paper, constant strength', { strength: { kind: 'constant', lambda: 3 } }],
  ['paper, magnitude', { strength: { kind: 'magnitude', magnitude: 0.25 }, categories: 2 }],
  ['paper, frozen Z, magnitude', { zMode: 'frozen', strength: { kind: 'magnitude', magnitude: 0.25 } }],
  ['paper, three categories', { categories: 3 }],
  ['released', { reading: 'released', slopeRate: 0 }],
  ['released, slopes learned', { reading: 'released', slopeRate: 0.25 }],
  [
    'released, three categories by shares',
    { reading: 'released', categories: 3, densities: [0.5, 0.25, 0.125], slopeRate: 0 },
  ],
];

describe('filterLossTerm', () => {
  it.each(cases)('has the numbers of the layer over the kernels, step by step: %s', async (_, options) => {
    const shape = { channels: 4, height: 6, width: 6 };
    const slopeInput = (options.slopeRate ?? 0) > 0 ? 'slopes' : undefined;
    for (const run of [exactly, onRuntime]) {
      const direct = new InterpretableLayer(shape, options);
      const layer = new InterpretableLayer(shape, options);
      const term = filterLossTerm(layer, 'maps', slopeInput === undefined ? {} : { slopeInput });
      const { graph, total, outputs } = termGraph(term, ['N', 4, 6, 6], slopeInput);
      for (const [step, count] of [5, 3, 5].entries()) {
        const maps = randomMaps([count, 4, 6, 6], 10 + step, 4);
        maps.data.fill(0, 0, 36);
        const signal = new Random(step + 1).normalTensor(maps.dims, 0, 1e-4);
        const categories = options.categories ?? 1;
        const labels = Array.from({ length: count }, (__, i) => (i + step) % Math.max(categories, 2));
        const rows = labels.flatMap((label) =>
          categories === 1 ? [label] : Array.from({ length: categories }, (__, c) => (c === label ? 1 : 0)),
        );
        const epoch = step / 2;
        direct.state.startEpoch(Math.floor(epoch) + 1);
        const wanted = await direct.filterLoss(maps, {
          dims: [count, categories],
          data: Uint8Array.from(rows),
        });
        const view = { epoch, count, labels };
        const results = await run(graph, { maps, signal, ...term.feeds(view) });
        term.observe(new Map(outputs.map((name) => [name, results.get(name)!])), view);
        const found = Float32Array.from(results.get(total)!.data as Float32Array);
        const own = found.map((value, at) => value - signal.data[at]!);
        const scale = largestOf(wanted.gradient.data);
        expect(scale).toBeGreaterThan(0);
        // Logarithms of ratios near 1 are known to a part in 2^23 of log Z, and so is the sum with the signal.
        const slack = 1e-3 * scale + 2 ** -23 * largestOf(found);
        expectClose(own, wanted.gradient.data, 1e-4, slack);
        if (term.losses !== undefined) {
          expectClose(term.losses, wanted.loss.data, 2e-3, 1e-6);
        }
        expect(layer.state.categories).toEqual(direct.state.categories);
        expectClose(layer.state.slopes, direct.state.slopes, 1e-5);
        expectClose(layer.state.largestSoFar().previous, direct.state.largestSoFar().previous, 1e-6);
      }
      const [a, b] = [layer, direct].map((each) => each.state.zSoFar());
      expect(a!.images).toBe(b!.images);
      if (a!.images > 0) expectClose(a!.logZ(4).data, b!.logZ(4).data, 1e-5, 1e-6);
    }
  });

  it('carries its state through a checkpoint of float32 arrays, exactly', async () => {
    const make = () => {
      const layer = new InterpretableLayer({ channels: 3, height: 4, width: 4 }, { categories: 2 });
      return { layer, term: filterLossTerm(layer, 'maps', { name: 'conv5' }) };
    };
    const { layer, term } = make();
    const maps = randomMaps([3, 3, 4, 4], 4);
    await layer.filterLoss(maps, { dims: [3, 2], data: Uint8Array.of(1, 0, 0, 1, 1, 0) });
    const again = make();
    again.term.restore(term.state());
    expect(encodeState(again.layer.toState())).toEqual(encodeState(layer.toState()));
    expect(() => again.term.restore(new Map())).toThrow(/no state of the filter losses "conv5"/);
    const other = filterLossTerm(new InterpretableLayer({ channels: 4, height: 4, width: 4 }), 'maps');
    expect(() => other.restore(term.state())).toThrow(/another layer/);
    expect(
      decodeState(Uint8Array.from(term.state().get('bytes')!), 'state')
        .get('identity')
        .string(),
    ).toContain('"categories":2');
  });

  it('works on maps that are not square', () => {
    const layer = new InterpretableLayer({ channels: 2, height: 3, width: 5 }, { zMode: 'frozen' });
    const term = filterLossTerm(layer, 'maps');
    const { graph, total } = termGraph(term, ['N', 2, 3, 5]);
    const maps = randomMaps([4, 2, 3, 5], 1);
    const signal = { dims: maps.dims, data: new Float32Array(maps.data.length) };
    const feeds = term.feeds({ epoch: 0, count: 4, labels: [0, 1, 1, 0] });
    const found = evaluate(graph, { maps, signal, ...feeds }).get(total)!;
    expect(found.dims).toEqual(maps.dims);
    expect(largestOf(found.data)).toBeGreaterThan(0);
  });

  it.each([
    ['frozen', { zMode: 'frozen' }],
    ['exact', { zMode: 'exact' }],
    ['one template', {}],
    ['released', { reading: 'released', slopeRate: 0 }],
  ] as const)('overflows for no activation, and is 0 of none: %s', async (_, options) => {
    for (const scale of [1e6, 0]) {
      const layer = new InterpretableLayer({ channels: 2, height: 4, width: 4 }, options);
      const term = filterLossTerm(layer, 'maps');
      const { graph, total } = termGraph(term, ['N', 2, 4, 4]);
      const maps = randomMaps([4, 2, 4, 4], 1, scale);
      const signal = { dims: maps.dims, data: new Float32Array(maps.data.length) };
      const feeds = term.feeds({ epoch: 0, count: 4, labels: [0, 1, 1, 0] });
      const found = (await onRuntime(graph, { maps, signal, ...feeds })).get(total)!.data;
      expect(Array.from(found, Number).every(Number.isFinite)).toBe(true);
      if (scale === 0 && layer.options.strength.kind === 'activation')
        expect(largestOf(found as Float32Array)).toBe(0);
    }
  });

  it('refuses what cannot be', () => {
    const shape = { channels: 2, height: 4, width: 4 };
    const refuses = (layer: InterpretableLayer, options: FilterLossTermOptions, line: RegExp) =>
      expect(() => filterLossTerm(layer, 'maps', options)).toThrow(line);
    refuses(new InterpretableLayer(shape), { classes: [1, 2] }, /1 categories, classes are given for 2/);
    refuses(new InterpretableLayer(shape, { reading: 'released' }), {}, /slopeInput, or take slopeRate 0/);
    const term = filterLossTerm(new InterpretableLayer(shape), 'maps');
    expect(() => term.feeds({ epoch: 0, count: 2, labels: [] })).toThrow(/the class of each of 2 pictures/);
    expect(() => term.observe(new Map(), { epoch: 0, count: 1, labels: [0] })).toThrow(/gave out no/);
  });
});
