import { Model } from '@unitscope/model';
import { inferShapes, metadataOf, readModel, writeModel } from '@unitscope/onnx';
import { Random, sliceBatch, type Tensor } from '@unitscope/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compareWithExplain,
  compileExplanation,
  explain,
  methodNamed,
  type StandaloneOptions,
  smoothGradMethod,
  smoothGradSquaredMethod,
  standaloneMethods,
  standaloneNoise,
} from '../src/index.js';
import {
  distance,
  type Maps,
  type Opened,
  open,
  type RuntimeName,
  runtimeNames,
} from './support/runtimes.js';
import { SIDE, smallNetwork } from './support/small-network.js';
import { CAM, PIXELS, references } from './support/standalone-reference.js';

const network = smallNetwork();
const model = await Model.load(network, { engine: 'onnxruntime-node' });
afterAll(() => model.close());

const NOISE = { samples: 3, seed: 11, noise: 0.2 };
const OPTIONS: Readonly<Record<string, StandaloneOptions>> = {
  smoothgrad: NOISE,
  'smoothgrad-squared': NOISE,
  'integrated-gradients': { steps: 2, baseline: [0.25, -0.5] },
};
const fileOf = (method: string) => compileExplanation(model, method, OPTIONS[method]);
const pictures = (count: number): Tensor => new Random(count).normalTensor([count, 2, SIDE, SIDE]);

// Four layers forward and back, of sums of at most 54 products, each rounded to 24 bits.
const ROUNDING = 8 * 54 * 2 ** -24;

const TARGETS: Readonly<Record<number, readonly bigint[]>> = {
  1: [-1n],
  2: [2n, -1n],
  5: [-1n, 0n, -1n, 1n, 2n],
};
const COUNTS = [1, 2, 5];

/** What `explain` says of one picture, with the noise that a file draws. */
async function explained(method: string, picture: Tensor, target: bigint): Promise<Float32Array> {
  const { seed, samples, noise } = NOISE;
  const range = Math.max(...picture.data) - Math.min(...picture.data);
  const drawn = standaloneNoise({ seed, samples, dims: picture.dims.slice(1) });
  const given = { dims: drawn.dims, data: drawn.data.map((value) => value * noise * range) };
  const made =
    method === 'smoothgrad'
      ? smoothGradMethod({ given })
      : method === 'smoothgrad-squared'
        ? smoothGradSquaredMethod({ given })
        : methodNamed(method, OPTIONS[method]);
  const { map } = await explain(model, made, picture, { target: target === -1n ? 'top1' : Number(target) });
  return map.data;
}

describe.each(standaloneMethods.map(({ name }) => name))('a file of %s', (method) => {
  const channels = standaloneMethods.find(({ name }) => name === method)!.oneChannel ? 1 : 2;
  const opened = new Map<RuntimeName, Opened>();
  const batches = new Map<number, Record<RuntimeName, Maps>>();
  // Read back, so that what runs is what a file holds.
  const bytes = writeModel(fileOf(method).graph);

  beforeAll(async () => {
    for (const runtime of runtimeNames) opened.set(runtime, await open(runtime, bytes));
    for (const count of COUNTS) {
      const feeds = { picture: pictures(count), target: TARGETS[count]! };
      batches.set(count, {
        node: await opened.get('node')!.run(feeds),
        web: await opened.get('web')!.run(feeds),
      });
    }
  });
  afterAll(async () => {
    for (const session of opened.values()) await session.close();
  });

  it.each(COUNTS)('gives the same for %i pictures on every runtime', (count) => {
    const { node, web } = batches.get(count)!;
    expect(Object.keys(node).sort()).toEqual(['chosen', 'map', 'score', 'scores']);
    expect(node['map']!.dims).toEqual([count, channels, SIDE, SIDE]);
    expect(node['scores']!.dims).toEqual([count, 3]);
    expect(web['chosen']).toEqual(node['chosen']);
    for (const output of ['map', 'scores', 'score']) {
      expect(distance(web[output]!.data, node[output]!.data), output).toBeLessThan(ROUNDING);
    }
    expect(node['map']!.data.some((value) => value !== 0)).toBe(true);
  });

  it('finds different classes highest in different pictures', () => {
    const { chosen } = batches.get(5)!.node;
    expect([chosen!.data[0], chosen!.data[2]]).toEqual([2, 1]);
  });

  it.each(COUNTS)('explains the class that was asked for in each of %i pictures', (count) => {
    const { scores, score, chosen } = batches.get(count)!.node;
    for (const [n, target] of TARGETS[count]!.entries()) {
      const row = scores!.data.slice(3 * n, 3 * n + 3);
      const expected = target === -1n ? row.indexOf(Math.max(...row)) : Number(target);
      expect(chosen!.data[n]).toBe(expected);
      expect(score!.data[n]).toBe(row[expected]!);
    }
  });

  it.each(COUNTS)('is the map that explain gives of each of %i pictures', async (count) => {
    const { data } = batches.get(count)!.web['map']!;
    const size = data.length / count;
    for (const [n, target] of TARGETS[count]!.entries()) {
      const expected = await explained(method, sliceBatch(pictures(count), n, n + 1), target);
      expect(distance(data.slice(n * size, (n + 1) * size), expected), `${n}`).toBeLessThan(ROUNDING);
    }
  });

  it.skipIf(references[method] === undefined)('is the map of its definition in doubles', () => {
    const { map, chosen } = batches.get(2)!.node;
    for (const n of [0, 1]) {
      const x = Float64Array.from(sliceBatch(pictures(2), n, n + 1).data);
      const expected = references[method]!(x, chosen!.data[n]!, OPTIONS[method] ?? {});
      const actual = map!.data.slice(n * expected.length, (n + 1) * expected.length);
      expect(distance(actual, expected), `${n}`).toBeLessThan(ROUNDING);
    }
  });

  it('is near to what explain says by its own account', async () => {
    const standalone = { ...fileOf(method), graph: readModel(bytes) };
    const near = await compareWithExplain(model, standalone);
    expect(near.map).toBeLessThan(ROUNDING);
    expect(near.scores).toBeLessThan(ROUNDING);
    expect(near.silent).toBe(false);
  });

  it('is of standard operators, in loops too, and its shapes can be inferred', () => {
    const graph = readModel(bytes);
    expect([[...graph.opsets], graph.irVersion]).toEqual([[['', 18]], 8]);
    expect(graph.inputs).toEqual([
      { name: 'picture', type: 'float32', dims: ['N', 2, SIDE, SIDE] },
      { name: 'target', type: 'int64', dims: ['N'] },
    ]);
    const shapes = inferShapes(graph);
    for (const { name, dims } of graph.outputs) {
      const inferred = shapes.dims(name);
      // What comes out of a loop is known as far as its operators say.
      if (inferred !== undefined) expect(inferred, name).toEqual(dims);
    }
    expect(shapes.dims('scores')).toEqual(['N', 3]);
    expect(graph.nodes.every(({ domain }) => domain === '')).toBe(true);
    // Passes share the forward pass; what depends on weights alone is not made anew in every turn.
    const first = graph.nodes.filter(
      ({ operator, inputs }) => operator === 'Conv' && inputs[0] === 'picture',
    );
    expect(first).toHaveLength(1);
    const loops = graph.nodes.filter(({ operator }) => operator === 'Loop');
    expect(loops.length).toBe(method.startsWith('smooth') || method.startsWith('integrated') ? 1 : 0);
    for (const loop of loops) {
      const body = loop.attributes.get('body')!.value as LoopMessage;
      expect(body.g.initializer).toEqual([]);
      expect(body.g.node.every(({ domain }) => domain === '')).toBe(true);
      const operators = body.g.node.map(({ opType }) => opType);
      expect(operators).not.toContain('Transpose');
      expect(operators.filter((operator) => operator === 'Conv').length).toBeGreaterThan(3);
    }
  });

  it('is the same to the byte when compiled again, and holds every weight once', () => {
    expect(Buffer.compare(bytes, writeModel(fileOf(method).graph))).toBe(0);
    const large = [...readModel(bytes).initializers.values()].filter(({ data }) => data.length > 20);
    const weights = [...network.initializers.values()].filter(({ data }) => data.length > 20);
    expect(large.map(({ data }) => data.length).sort()).toEqual(
      weights.map(({ data }) => data.length).sort(),
    );
  });

  it('says what it is', () => {
    const said = metadataOf(readModel(bytes));
    expect(said.get('author')).toBe('a test');
    expect(said.get('unitscope.method')).toBe(method);
    expect(said.get('unitscope.form')).toBe(methodNamed(method).form);
    expect(said.get('unitscope.source_sha256')).toBe(model.sha256);
    expect(said.get('unitscope.version')).toMatch(/^\d+\.\d+\.\d+$/);
    expect(said.get('unitscope.target')).toBe('input');
    expect(said.get('unitscope.notes')).toBe('[]');
    expect(JSON.parse(said.get('unitscope.objective')!)).toEqual({ kind: 'class', score: 'logit' });
    const cam = method.endsWith('grad-cam') ? { layer: 'last-conv' } : {};
    expect(JSON.parse(said.get('unitscope.parameters')!)).toEqual({ ...OPTIONS[method], ...cam });
    expect(said.get('unitscope.convention')!.length).toBeGreaterThan(3);
  });
});

/** What the reader carries along of a loop. */
interface LoopMessage {
  readonly g: {
    readonly initializer: readonly unknown[];
    readonly node: readonly { readonly domain: string; readonly opType: string }[];
  };
}

it('the layer of the reference is the last convolution', () => {
  expect([model.layer('last-conv').name, PIXELS]).toEqual([CAM, 98]);
});
