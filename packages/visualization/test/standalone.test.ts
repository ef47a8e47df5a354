import { createHash } from 'node:crypto';
import { Model } from '@unitscope/model';
import {
  centralDifference,
  evaluate,
  type Graph,
  inferShapes,
  metadataOf,
  readModel,
  writeModel,
} from '@unitscope/onnx';
import { Random, sliceBatch, type Tensor } from '@unitscope/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compileExplanation,
  explain,
  gradientMethod,
  methodNamed,
  methods,
  type StandaloneOptions,
  standaloneMethods,
} from '../src/index.js';
import { gaussLegendre } from '../src/standalone/quadrature.js';
import { referenceNoise } from './support/noise-reference.js';
import {
  distance,
  type Maps,
  type Opened,
  open,
  RUNTIMES,
  type RuntimeName,
  runOn,
} from './support/runtimes.js';
import { SIDE, smallNetwork } from './support/small-network.js';

const network = smallNetwork();
const [LOGITS, CAM] = [network.nodes.at(-2)!.outputs[0]!, 'last'];
const PIXELS = 2 * SIDE * SIDE;
const OPTIONS: Readonly<Record<string, StandaloneOptions>> = {
  smoothgrad: { samples: 3, seed: 11, noise: 0.2 },
  'smoothgrad-squared': { samples: 3, seed: 11, noise: 0.2 },
  'integrated-gradients': { steps: 4, baseline: 0.25 },
};
const fileOf = (method: string, graph = network) => compileExplanation(graph, method, OPTIONS[method]);
const pictures = (count: number, seed = 3): Tensor => new Random(seed).normalTensor([count, 2, SIDE, SIDE]);

// The reference works on one picture in doubles, from the definitions of the methods and of the network's operators.

function scoreOf(picture: Float64Array, target: number): number {
  const scores = evaluate(
    network,
    { picture: { dims: [1, 2, SIDE, SIDE], data: picture } },
    { outputs: [LOGITS] },
  );
  return scores.get(LOGITS)!.data[target]!;
}

const STEP = 1e-6;
const all = (count: number) => Array.from({ length: count }, (_, i) => i);

function gradientAt(picture: Float64Array, target: number): Float64Array {
  return centralDifference((x) => scoreOf(x, target), picture, STEP, all(PIXELS));
}

function gradCamOf(picture: Float64Array, target: number): Float64Array {
  const cam = network.nodes.find(({ name }) => name === CAM)!.outputs[0]!;
  const feed = { dims: [1, 2, SIDE, SIDE], data: picture };
  const { dims, data } = evaluate(network, { picture: feed }, { outputs: [cam] }).get(cam)!;
  const [, channels = 0, height = 0, width = 0] = dims;
  const scoreAt = (x: Float64Array) =>
    evaluate(network, { picture: feed, [cam]: { dims, data: x } }, { outputs: [LOGITS] }).get(LOGITS)!.data[
      target
    ]!;
  const gradient = centralDifference(scoreAt, data, STEP, all(data.length));
  const plane = height * width;
  const map = Float64Array.from({ length: plane }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < channels; k++) {
      const weight = gradient.subarray(k * plane, (k + 1) * plane).reduce((total, g) => total + g, 0) / plane;
      sum += weight * data[k * plane + i]!;
    }
    return Math.max(0, sum);
  });
  // Bilinear between the centres of the cells, the nearest cell beyond the outermost ones.
  const place = (i: number, size: number) => {
    const at = Math.min(size - 1, Math.max(0, ((i + 0.5) * size) / SIDE - 0.5));
    return [Math.floor(at), Math.min(size - 1, Math.floor(at) + 1), at - Math.floor(at)] as const;
  };
  return Float64Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [top, bottom, down] = place(Math.floor(i / SIDE), height);
    const [left, right, along] = place(i % SIDE, width);
    const row = (y: number) => map[y * width + left]! * (1 - along) + map[y * width + right]! * along;
    return row(top) * (1 - down) + row(bottom) * down;
  });
}

function meanOver(count: number, term: (i: number) => Float64Array): Float64Array {
  const terms = all(count).map(term);
  return terms[0]!.map((_, p) => terms.reduce((sum, values) => sum + values[p]!, 0) / count);
}

function smoothedOf(x: Float64Array, target: number, power: number): Float64Array {
  const { samples = 0, seed = 0, noise = 0 } = OPTIONS['smoothgrad']!;
  const deviation = noise * (Math.max(...x) - Math.min(...x));
  return meanOver(samples, (i) => {
    const drawn = referenceNoise(seed, i, PIXELS);
    return gradientAt(
      x.map((value, p) => value + deviation * drawn[p]!),
      target,
    ).map((g) => g ** power);
  });
}

const references: Readonly<Record<string, (x: Float64Array, target: number) => Float64Array>> = {
  gradient: gradientAt,
  'saliency-map': (x, target) => {
    const gradient = gradientAt(x, target);
    const plane = SIDE * SIDE;
    return gradient.subarray(0, plane).map((g, i) => Math.max(Math.abs(g), Math.abs(gradient[plane + i]!)));
  },
  'input-times-gradient': (x, target) => gradientAt(x, target).map((g, i) => g * x[i]!),
  'grad-cam': gradCamOf,
  smoothgrad: (x, target) => smoothedOf(x, target, 1),
  'smoothgrad-squared': (x, target) => smoothedOf(x, target, 2),
  'integrated-gradients': (x, target) => {
    const { steps = 0, baseline = 0 } = OPTIONS['integrated-gradients']!;
    const { nodes, weights } = gaussLegendre(steps);
    const terms = nodes.map((a) =>
      gradientAt(
        x.map((value) => baseline + a * (value - baseline)),
        target,
      ),
    );
    return x.map(
      (value, p) => (value - baseline) * terms.reduce((sum, g, i) => sum + weights[i]! * g[p]!, 0),
    );
  },
};

const names = standaloneMethods.map(({ name }) => name);
const runtimes = Object.keys(RUNTIMES) as RuntimeName[];

describe.each(names)('a file of %s', (method) => {
  const signed = standaloneMethods.find(({ name }) => name === method)!.form === 'signed';
  const opened = new Map<RuntimeName, Opened>();
  const batches = new Map<number, Record<RuntimeName, Maps>>();
  const targets: Readonly<Record<number, readonly bigint[]>> = {
    1: [-1n],
    2: [2n, -1n],
    5: [-1n, 0n, 1n, 2n, -1n],
  };

  beforeAll(async () => {
    // Read back, so that what runs is what a file holds.
    const bytes = writeModel(fileOf(method));
    for (const runtime of runtimes) opened.set(runtime, await open(runtime, bytes));
    for (const count of [1, 2, 5]) {
      const feeds = { picture: pictures(count, count), target: targets[count]! };
      batches.set(count, {
        node: await opened.get('node')!.run(feeds),
        web: await opened.get('web')!.run(feeds),
      });
    }
  });
  afterAll(async () => {
    for (const session of opened.values()) await session.close();
  });

  it.each([1, 2, 5])('gives the same for %i pictures on every runtime', (count) => {
    const { node, web } = batches.get(count)!;
    expect(Object.keys(node).sort()).toEqual(['chosen', 'map', 'score', 'scores']);
    expect(node['map']!.dims).toEqual([count, signed ? 2 : 1, SIDE, SIDE]);
    expect(node['scores']!.dims).toEqual([count, 3]);
    expect(web['chosen']).toEqual(node['chosen']);
    for (const output of ['map', 'scores', 'score']) {
      expect(distance(web[output]!.data, node[output]!.data), output).toBeLessThan(1e-5);
    }
    expect(node['map']!.data.some((value) => value !== 0)).toBe(true);
  });

  it.each([1, 2, 5])('explains the class that was asked for in each of %i pictures', (count) => {
    const { scores, score, chosen } = batches.get(count)!.node;
    for (const [n, target] of targets[count]!.entries()) {
      const row = scores!.data.slice(3 * n, 3 * n + 3);
      const expected = target === -1n ? row.indexOf(Math.max(...row)) : Number(target);
      expect(chosen!.data[n]).toBe(expected);
      expect(score!.data[n]).toBeCloseTo(row[expected]!, 5);
    }
  });

  it('explains a picture alone as in a batch', async () => {
    const batch = pictures(5, 5);
    const together = batches.get(5)!.node;
    for (const n of [1, 4]) {
      const alone = await opened
        .get('node')!
        .run({ picture: sliceBatch(batch, n, n + 1), target: [targets[5]![n]!] });
      const size = alone['map']!.data.length;
      expect(
        distance(alone['map']!.data, together['map']!.data.slice(n * size, (n + 1) * size)),
      ).toBeLessThan(1e-5);
    }
  });

  it.skipIf(references[method] === undefined)('is the map of its definition in doubles', () => {
    const { map, chosen } = batches.get(2)!.node;
    const batch = pictures(2, 2);
    for (const n of [0, 1]) {
      const x = Float64Array.from(sliceBatch(batch, n, n + 1).data);
      const expected = references[method]!(x, chosen!.data[n]!);
      const size = expected.length;
      expect(distance(map!.data.slice(n * size, (n + 1) * size), expected), `picture ${n}`).toBeLessThan(
        1e-5,
      );
    }
  });

  it.skipIf(!methods.some(({ name }) => name === method))('is the map that explain gives', async () => {
    const model = await Model.load(network, { engine: 'onnxruntime-node' });
    const target = targets[5]!.map((aim) => (aim === -1n ? 'top1' : Number(aim)));
    const explanation = await explain(model, methodNamed(method), pictures(5, 5), { target });
    await model.close();
    expect(distance(batches.get(5)!.web['map']!.data, explanation.map.data)).toBeLessThan(1e-5);
  });

  it('is of standard operators, in loops too, and its shapes can be inferred', () => {
    const graph = readModel(writeModel(fileOf(method)));
    expect([...graph.opsets]).toEqual([['', 18]]);
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
    const loops = graph.nodes.filter(({ operator }) => operator === 'Loop');
    expect(loops.length).toBe(method.startsWith('smooth') || method.startsWith('integrated') ? 1 : 0);
    for (const loop of loops) {
      const body = loop.attributes.get('body')!.value as LoopMessage;
      expect(body.g.initializer).toEqual([]);
      expect(body.g.node.every(({ domain }) => domain === '')).toBe(true);
    }
  });

  it('is the same to the byte when compiled again, and holds every weight once', () => {
    const bytes = writeModel(fileOf(method));
    expect(Buffer.compare(bytes, writeModel(fileOf(method, readModel(writeModel(network)))))).toBe(0);
    const large = [...readModel(bytes).initializers.values()].filter(({ data }) => data.length > 20);
    const weights = [...network.initializers.values()].filter(({ data }) => data.length > 20);
    expect(large.map(({ data }) => data.length).sort()).toEqual(
      weights.map(({ data }) => data.length).sort(),
    );
  });

  it('says what it is', () => {
    const said = metadataOf(readModel(writeModel(fileOf(method))));
    expect(said.get('unitscope.method')).toBe(method);
    expect(said.get('unitscope.source_sha256')).toBe(
      createHash('sha256').update(writeModel(network)).digest('hex'),
    );
    expect(said.get('unitscope.version')).toMatch(/^\d+\.\d+\.\d+$/);
    expect(JSON.parse(said.get('unitscope.objective')!)).toEqual({ kind: 'class', score: 'logit' });
    const cam = method.endsWith('grad-cam') ? { camLayer: CAM } : {};
    expect(JSON.parse(said.get('unitscope.parameters')!)).toEqual({ ...OPTIONS[method], ...cam });
    expect(said.get('unitscope.convention')!.length).toBeGreaterThan(3);
  });
});

/** What the reader carries along of a loop. */
interface LoopMessage {
  readonly g: {
    readonly initializer: readonly unknown[];
    readonly node: readonly { readonly domain: string }[];
  };
}

describe('an explanation as a file', () => {
  it('leaves the network as it is, and is made of a Model as of its graph', async () => {
    const before = writeModel(network);
    const model = await Model.load(network, { engine: 'onnxruntime-node' });
    expect(
      Buffer.compare(writeModel(fileOf('gradient')), writeModel(compileExplanation(model, 'gradient'))),
    ).toBe(0);
    await model.close();
    expect(Buffer.compare(before, writeModel(network))).toBe(0);
    expect(() => compileExplanation(model, 'gradient', { inputDims: [1, 2, 7, 7] })).toThrow(
      /give inputDims to Model\.load/,
    );
  });

  it.each(['max', 'mean'] as const)(
    'explains channels of a layer (%s), in every step the same unit',
    async (position) => {
      const graph = compileExplanation(network, 'gradient', { unit: { layer: 'grouped', position } });
      const batch = pictures(3);
      const feeds = { picture: batch, target: [0n, 5n, 2n] };
      const { map, score, chosen } = await runOn('web', graph, feeds);
      const model = await Model.load(network, { engine: 'onnxruntime-node' });
      const channels = [0, 5, 2];
      for (const [n, channel] of channels.entries()) {
        const one = sliceBatch(batch, n, n + 1);
        const expected = await explain(model, gradientMethod, one, {
          unit: { layer: 'grouped', channel, position },
        });
        expect(distance(map!.data.slice(n * PIXELS, (n + 1) * PIXELS), expected.map.data)).toBeLessThan(1e-5);
        expect(score!.data[n]).toBeCloseTo(expected.score[0]!, 5);
        const [y = 0, x = 0] = expected.position?.[0] ?? [];
        expect(chosen!.data[n]).toBe(position === 'mean' ? channel : channel * 9 + y * 3 + x);
      }
      await model.close();
      // Without noise every step sees the picture itself.
      const steps = { unit: { layer: 'grouped', position }, samples: 2, noise: 0 } as const;
      const smooth = await runOn('node', compileExplanation(network, 'smoothgrad', steps), feeds);
      expect(distance(smooth['map']!.data, map!.data)).toBeLessThan(1e-5);
    },
  );

  it('keeps a batch axis the file fixes', async () => {
    const graph = fileOf('integrated-gradients', smallNetwork(2));
    expect(graph.inputs.map(({ dims }) => dims)).toEqual([[2, 2, SIDE, SIDE], [2]]);
    const feeds = { picture: pictures(2), target: [-1n, 1n] };
    const free = await runOn('node', fileOf('integrated-gradients'), feeds);
    expect(distance((await runOn('web', graph, feeds))['map']!.data, free['map']!.data)).toBeLessThan(1e-5);
  });

  it('has a map of zeros where Grad-CAM finds nothing for a class', async () => {
    const weights = network.initializers.get('w4')!;
    const data = Float32Array.from(weights.data as Float32Array, (_, i) => (i % 3 === 1 ? 0 : 1));
    const initializers = new Map(network.initializers).set('w4', { ...weights, data });
    const { map } = await runOn('node', fileOf('grad-cam', { ...network, initializers }), {
      picture: pictures(1),
      target: [1n],
    });
    expect(new Set(map!.data)).toEqual(new Set([0]));
  });

  it('adds up to the difference of the scores with integrated gradients', async () => {
    const graph = compileExplanation(network, 'integrated-gradients', { steps: 400, baseline: 0.1 });
    const picture = pictures(1, 9);
    const { map, score, chosen } = await runOn('node', graph, { picture, target: [-1n] });
    const sum = map!.data.reduce((total, value) => total + value, 0);
    const baseline = scoreOf(new Float64Array(PIXELS).fill(Math.fround(0.1)), chosen!.data[0]!);
    expect(Math.abs(sum - (score!.data[0]! - baseline))).toBeLessThan(5e-3 * Math.abs(sum));
  });

  it('draws other noise by another seed', async () => {
    const feeds = { picture: pictures(1), target: [0n] };
    const [first, same, other] = await Promise.all(
      [1, 1, 2].map((seed) =>
        runOn('node', compileExplanation(network, 'smoothgrad', { samples: 2, seed }), feeds),
      ),
    );
    expect(same!['map']).toEqual(first!['map']);
    expect(distance(other!['map']!.data, first!['map']!.data)).toBeGreaterThan(1e-3);
  });
});

describe('what cannot be a file', () => {
  const wrong = (method: string, options: StandaloneOptions, graph: Graph = network) => {
    try {
      compileExplanation(graph, method, options);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  it.each<[string, string, StandaloneOptions, RegExp]>([
    ['a method there is not', 'grad-cam++', {}, /no method "grad-cam\+\+"; did you mean "grad-cam"/],
    [
      'a parameter of another method',
      'gradient',
      { steps: 5 },
      /gradient has no steps; it takes no parameters/,
    ],
    ['and of another still', 'grad-cam', { noise: 0.1 }, /grad-cam has no noise; it takes camLayer/],
    ['no steps', 'integrated-gradients', { steps: 0 }, /steps must be an integer from 1 to 10000, got 0/],
    ['half a sample', 'smoothgrad', { samples: 1.5 }, /samples must be an integer from 1 to 10000, got 1.5/],
    ['negative noise', 'smoothgrad', { noise: -1 }, /noise must be 0 or more, got -1/],
    ['noise that is no number', 'smoothgrad', { noise: Number.NaN }, /noise must be 0 or more, got NaN/],
    [
      'a baseline beyond float32',
      'integrated-gradients',
      { baseline: 1e39 },
      /baseline must be a number, got 1e\+39/,
    ],
    ['a negative seed', 'smoothgrad', { seed: -1 }, /seed must be an integer from 0 to 4294967295, got -1/],
    [
      'another size than the file says',
      'gradient',
      { inputDims: ['N', 2, 8, 8] },
      /cannot have dims \[N, 2, 8, 8\]; the file says/,
    ],
    [
      'a layer that makes no map',
      'grad-cam',
      { camLayer: 'scores' },
      /Grad-CAM weighs maps, scores has dims \[N, 3\]/,
    ],
  ])('is refused: %s', (_, method, options, line) => {
    expect(wrong(method, options)).toMatchObject({ code: 'wrong-use', message: expect.stringMatching(line) });
  });

  const open = { ...network, inputs: [{ ...network.inputs[0]!, dims: ['N', 2, 'h', 'w'] }] };
  const named = (name: string): Graph => ({
    ...network,
    inputs: [{ ...network.inputs[0]!, name }],
    nodes: network.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map((i) => (i === 'picture' ? name : i)),
    })),
  });
  const exotic = {
    ...network,
    nodes: network.nodes.map((node) => (node.name === 'relu2' ? { ...node, operator: 'Bernoulli' } : node)),
  };
  const maps = {
    ...network,
    outputs: [{ name: network.nodes[4]!.outputs[0]!, type: 'float32' as const, dims: undefined }],
  };
  it.each<[string, Graph, string, RegExp]>([
    ['pictures of any size', open, 'wrong-use', /pictures of any size.*--size H,W/],
    [
      'an input with the name of one of the file',
      named('scores'),
      'unsupported',
      /input is called "scores".*rename it/,
    ],
    ['an operator without a rule', exotic, 'unsupported', /relu2 \(Bernoulli\)/],
    ['scores that are maps', maps, 'unsupported', /class scores must be \[N, K\]; explain a unit/],
  ])('is refused: a network with %s', (_, graph, code, line) => {
    expect(wrong('gradient', {}, graph)).toMatchObject({ code, message: expect.stringMatching(line) });
  });

  it('is refused: a layer there is not', () => {
    expect(wrong('grad-cam', { camLayer: 'lst' })).toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/did you mean "last"/),
    });
    expect(wrong('gradient', { unit: { layer: 'grouped2' } })).toMatchObject({ code: 'not-found' });
  });
});
