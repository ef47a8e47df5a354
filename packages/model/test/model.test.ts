import { Model, openEngine } from '@unitscope/model';
import { emptyGraph, evaluate, type Graph, GraphBuilder, writeModel } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import { afterEach, describe, expect, it } from 'vitest';
import { ENGINES } from './support/engines.js';
import { shiftNetwork, slowNetwork, tinyNetwork } from './support/networks.js';

const open: Model[] = [];
async function load(...parameters: Parameters<typeof Model.load>): Promise<Model> {
  const model = await Model.load(...parameters);
  open.push(model);
  return model;
}
afterEach(() => Promise.all(open.splice(0).map((model) => model.close())));

const picture = (count: number, side = 8, seed = 5) => new Random(seed).normalTensor([count, 3, side, side]);

function expectClose(actual: ArrayLike<number | bigint>, expected: ArrayLike<number>, relative = 1e-5): void {
  const largest = Math.max(...Array.from(expected, Math.abs), 1e-30);
  expect(actual.length).toBe(expected.length);
  const worst = Math.max(...Array.from(actual, (value, i) => Math.abs(Number(value) - expected[i]!)));
  expect(worst / largest).toBeLessThan(relative);
}

describe('Model.load', () => {
  it('describes a network', async () => {
    const model = await load(tinyNetwork());
    expect(model.path).toBeUndefined();
    expect(model.input).toEqual({ name: 'picture', type: 'float32', dims: ['N', 3, 8, 8] });
    expect(model.outputs.map(({ name, dims }) => [name, dims])).toEqual([
      ['fc:out', ['N', 5]],
      ['softmax:out', ['N', 5]],
    ]);
    expect(model.layers.map(({ name, operator, dims, depth }) => [name, operator, dims, depth])).toEqual([
      ['conv', 'Conv', ['N', 4, 8, 8], 1],
      ['relu', 'Relu', ['N', 4, 8, 8], 2],
      ['pool', 'MaxPool', ['N', 4, 4, 4], 3],
      ['conv2', 'Conv', ['N', 5, 2, 2], 4],
      ['relu2', 'Relu', ['N', 5, 2, 2], 5],
      ['mean', 'GlobalAveragePool', ['N', 5, 1, 1], 6],
      ['flat', 'Flatten', ['N', 5], 7],
      ['fc', 'Gemm', ['N', 5], 8],
      ['softmax', 'Softmax', ['N', 5], 9],
    ]);
    expect(model.layer('conv2').receptiveField).toEqual({
      size: [8, 8],
      stride: [2, 2],
      offset: [-1, -1],
      centre: [2.5, 2.5],
    });
    expect(model.engine).toMatchObject({ requested: 'auto', name: ENGINES[0] });
    expect(model.engine).not.toHaveProperty('reason');
    expect(model.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it('reads bytes and knows their hash', async () => {
    const bytes = writeModel(tinyNetwork());
    const [first, second, other] = [
      await load(bytes),
      await load(bytes),
      await load(writeModel(tinyNetwork({ seed: 2 }))),
    ];
    expect(first.sha256).toBe(second.sha256);
    expect(first.sha256).not.toBe(other.sha256);
    expect(first.layers).toEqual((await load(tinyNetwork())).layers);
  });

  it('names a layer without a name after its value, and leaves arithmetic on shapes out', async () => {
    const builder = new GraphBuilder(emptyGraph('unnamed', 18));
    const x = builder.input({ name: 'x', type: 'float32', dims: ['N', 1, 2, 2] });
    const shape = builder.node('Shape', [x], {}, { name: 'shape' });
    builder.append({
      name: '',
      operator: 'Relu',
      domain: '',
      inputs: [x],
      outputs: ['bent'],
      attributes: new Map(),
    });
    const y = builder.node('Reshape', ['bent', shape], {}, { name: 'again' });
    builder.output({ name: y, type: 'float32', dims: undefined });
    const model = await load(builder.build());
    expect(model.layers.map(({ name }) => name)).toEqual(['bent', 'again']);
  });

  it('finds a layer by node, by value, and by `last-conv`', async () => {
    const model = await load(tinyNetwork());
    expect(model.layer('relu')).toBe(model.layers[1]);
    expect(model.layer('relu:out')).toBe(model.layers[1]);
    expect(model.layer('last-conv').name).toBe('conv2');
    expect(() => model.layer('conv3')).toThrow('no layer "conv3"; did you mean "conv"?');
    const none = await load(shiftNetwork(1));
    expect(() => none.layer('last-conv')).toThrow('no convolution');
  });

  it('does not take the shortcut of a residual block, or a convolution without a map, for the last', async () => {
    const builder = new GraphBuilder(emptyGraph('residual', 18));
    const x = builder.input({ name: 'x', type: 'float32', dims: ['N', 1, 4, 4] });
    const conv = (from: string, k: number, name: string) =>
      builder.node(
        'Conv',
        [from, builder.floats(new Array(k * k).fill(1), [1, 1, k, k])],
        { pads: new Array(4).fill((k - 1) / 2) },
        { name },
      );
    const main = conv(conv(x, 3, 'first'), 3, 'second');
    const sum = builder.node('Add', [main, conv(x, 1, 'shortcut')]);
    const score = conv(builder.node('GlobalAveragePool', [sum]), 1, 'score');
    builder.output({ name: score, type: 'float32', dims: undefined });
    expect((await load(builder.build())).layer('last-conv').name).toBe('second');
  });

  const withInputs = (...types: ('float32' | 'float16' | 'int64')[]): Graph => {
    const builder = new GraphBuilder(emptyGraph('odd', 18));
    const names = types.map((type, i) => builder.input({ name: `in${i}`, type, dims: ['N', 3, 4, 4] }));
    const y = builder.node('Identity', [names[0] ?? builder.floats(1)]);
    builder.output({ name: y, type: types[0] ?? 'float32', dims: undefined });
    return builder.build();
  };

  it('wants exactly one float32 input', async () => {
    await expect(load(withInputs())).rejects.toMatchObject({
      code: 'unsupported',
      message: 'odd has no input',
    });
    await expect(load(withInputs('float32', 'int64'))).rejects.toMatchObject({
      code: 'unsupported',
      message: 'odd has 2 inputs (in0, in1); networks of one input, the picture, are supported',
    });
    await expect(load(withInputs('float16'))).rejects.toMatchObject({
      code: 'unsupported',
      message: 'odd takes float16 at its input "in0"; export it with a float32 input',
    });
  });

  it('says which option or file is wrong', async () => {
    const graph = tinyNetwork();
    await expect(load(graph, { engine: 'onxruntime-node' })).rejects.toMatchObject({ code: 'wrong-use' });
    await expect(load(graph, { lowering: 'blockd' })).rejects.toThrow('did you mean "blocked"?');
    await expect(load(graph, { engine: 'onnxruntime-node', lowering: 'native' })).rejects.toMatchObject({
      code: 'wrong-use',
      message: 'the engine onnxruntime-node has no lowering "native" here, it has portable',
      alternatives: ['auto', 'portable'],
    });
    await expect(load(graph, { threads: 0 })).rejects.toThrow('threads must be a positive integer, got 0');
    await expect(load(graph, { batchSize: 1.5 })).rejects.toThrow(
      'batchSize must be a positive integer, got 1.5',
    );
    await expect(load(graph, { inputDims: ['N', 3, 9, 8] })).rejects.toMatchObject({
      code: 'wrong-use',
      message: 'input "picture" cannot have dims [N, 3, 9, 8]; the file says [N, 3, 8, 8]',
    });
    await expect(load('/nowhere/net.onnx')).rejects.toMatchObject({ code: 'not-found' });
    await expect(load(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'bad-file' });
  });
});

describe('Model.run', () => {
  it('agrees with the reference', async () => {
    const graph = tinyNetwork();
    const model = await load(graph);
    const batch = picture(3);
    const results = await model.run(batch);
    const expected = evaluate(graph, { picture: batch });
    for (const [name, { dims, data }] of expected) {
      expect(results[name]!.dims).toEqual(dims);
      expectClose(results[name]!.data, Array.from(data, Number));
    }
  });

  it('gives the same in parts, and tells how far it is', async () => {
    const whole = await load(tinyNetwork());
    const parts = await load(tinyNetwork(), { batchSize: 2, threads: 1 });
    const batch = picture(5);
    const seen: unknown[] = [];
    const results = await parts.run(batch, { onProgress: (progress) => seen.push(progress) });
    expectClose(results['fc:out']!.data, Array.from((await whole.run(batch))['fc:out']!.data, Number), 1e-6);
    expect(seen).toEqual([
      { done: 2, total: 5 },
      { done: 4, total: 5 },
      { done: 5, total: 5 },
    ]);
  });

  it('runs a network of a fixed batch size sample by sample', async () => {
    const [fixed, free] = [await load(tinyNetwork({ dims: [1, 3, 8, 8] })), await load(tinyNetwork())];
    const batch = picture(3);
    const results = await fixed.run(batch);
    expect(results['fc:out']!.dims).toEqual([3, 5]);
    expectClose(results['fc:out']!.data, Array.from((await free.run(batch))['fc:out']!.data, Number), 1e-6);
  });

  it('takes pictures of any size where the network does', async () => {
    const graph = tinyNetwork({ dims: ['N', 3, 'h', 'w'] });
    const model = await load(graph);
    for (const side of [8, 11]) {
      const batch = picture(2, side);
      const expected = evaluate(graph, { picture: batch }).get('fc:out')!;
      expectClose((await model.run(batch))['fc:out']!.data, Array.from(expected.data, Number));
    }
    expect(model.layer('conv').dims!.slice(2)).toEqual(['h', 'w']);
    const sized = await load(graph, { inputDims: ['N', 3, 8, 8] });
    expect(sized.layer('conv').dims).toEqual(['N', 4, 8, 8]);
    await expect(sized.run(picture(1, 11))).rejects.toMatchObject({ code: 'bad-input' });
  });

  it('runs a variant as it is run itself, and closes it apart', async () => {
    const graph = tinyNetwork();
    const model = await load(graph, { engine: 'onnxruntime-node', batchSize: 2, inputDims: ['N', 3, 8, 8] });
    const weight = [...graph.initializers.values()].find(({ dims }) => dims.length === 4)!;
    const doubled = { ...weight, data: Float32Array.from(weight.data, (value) => 2 * Number(value)) };
    const changed = { ...graph, initializers: new Map(graph.initializers).set(weight.name, doubled) };
    const variant = await model.loadVariant(changed);
    expect(variant.engine).toEqual(model.engine);
    expect([variant.batchSize, variant.input]).toEqual([2, model.input]);
    const batch = picture(3);
    const expected = evaluate(changed, { picture: batch }).get('fc:out')!;
    expectClose((await variant.run(batch))['fc:out']!.data, Array.from(expected.data, Number));
    await variant.close();
    const before = evaluate(graph, { picture: batch }).get('fc:out')!;
    expectClose((await model.run(batch))['fc:out']!.data, Array.from(before.data, Number));
  });

  it('refuses what does not fit before it runs', async () => {
    const model = await load(tinyNetwork());
    const nan = picture(1);
    nan.data[17] = Number.NaN;
    await expect(model.run(nan)).rejects.toMatchObject({
      code: 'bad-input',
      message: 'input "picture" takes float32 [N, 3, 8, 8], got NaN at element 17 of [1, 3, 8, 8]',
    });
    await expect(model.run(picture(1, 9))).rejects.toMatchObject({ code: 'bad-input' });
    expect((await model.run(picture(1)))['fc:out']!.dims).toEqual([1, 5]);
  });

  it('keeps two networks apart', async () => {
    const models = await Promise.all([load(shiftNetwork(1)), load(shiftNetwork(50)), load(tinyNetwork())]);
    const x: Tensor = { dims: [1, 1, 2, 2], data: new Float32Array(4) };
    for (let round = 0; round < 3; round++) {
      const [a, b] = await Promise.all([models[0]!.run(x), models[1]!.run(x), models[2]!.run(picture(1))]);
      expect([a['add:out']!.data[0], b['add:out']!.data[0]]).toEqual([1, 50]);
    }
    await models[0]!.close();
    expect((await models[1]!.run(x))['add:out']!.data[0]).toBe(50);
    await expect(models[0]!.run(x)).rejects.toMatchObject({ code: 'wrong-use' });
  });

  it('can be aborted, before and during, and goes on', async () => {
    const model = await load(slowNetwork(256, 50), { batchSize: 4 });
    const batch = { dims: [64, 256], data: new Float32Array(64 * 256).fill(1) };
    await expect(model.run(batch, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
    const stop = new AbortController();
    const done: number[] = [];
    const aborted = model.run(batch, {
      signal: stop.signal,
      onProgress: (progress) => {
        done.push(progress.done);
        if (done.length === 2) stop.abort();
      },
    });
    await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
    expect(done).toEqual([4, 8]);
    expect(Object.values(await model.run(batch))[0]!.dims).toEqual([64, 256]);
  });

  it('runs on an engine of the caller, which stays open', async () => {
    const engine = await openEngine('onnxruntime-node');
    const x: Tensor = { dims: [1, 1, 2, 2], data: new Float32Array(4) };
    for (const bias of [1, 2]) {
      const model = await Model.load(shiftNetwork(bias), { engine });
      expect((await model.run(x))['add:out']!.data[0]).toBe(bias);
      await model.close();
    }
    await engine.close();
  });
});

describe('Model.activations', () => {
  it('gives the layers asked for, by the names they were asked for with', async () => {
    const graph = tinyNetwork();
    const model = await load(graph);
    const batch = picture(3);
    const activations = await model.activations(['last-conv', 'relu:out', 'conv2'], batch);
    const expected = evaluate(graph, { picture: batch }, { outputs: ['conv2:out', 'relu:out'] });
    expect([...activations.keys()]).toEqual(['last-conv', 'relu:out', 'conv2']);
    expect(activations.get('last-conv')).toBe(activations.get('conv2'));
    expectClose(activations.get('conv2')!.data, Array.from(expected.get('conv2:out')!.data, Number));
    expectClose(activations.get('relu:out')!.data, Array.from(expected.get('relu:out')!.data, Number));
  });

  it('goes through batches as they come', async () => {
    const model = await load(tinyNetwork());
    async function* batches() {
      for (const count of [2, 1, 3]) yield picture(count);
    }
    const seen: number[] = [];
    const counts: number[] = [];
    const onProgress = ({ done }: { done: number }) => seen.push(done);
    for await (const activations of model.activations(['pool'], batches(), { onProgress })) {
      counts.push(activations.get('pool')!.dims[0]!);
    }
    expect([counts, seen]).toEqual([
      [2, 1, 3],
      [2, 3, 6],
    ]);
    for await (const activations of model.activations(['pool'], [picture(1)])) {
      expect(activations.get('pool')!.dims).toEqual([1, 4, 4, 4]);
    }
  });

  it('refuses names it does not know, and none', async () => {
    const model = await load(tinyNetwork());
    await expect(model.activations(['pol'], picture(1))).rejects.toThrow(
      'no layer "pol"; did you mean "pool"?',
    );
    await expect(model.activations([], picture(1))).rejects.toMatchObject({ code: 'wrong-use' });
  });
});
