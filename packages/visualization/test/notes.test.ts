import { Model } from '@unitscope/model';
import { emptyGraph, GraphBuilder } from '@unitscope/onnx';
import { expect, it } from 'vitest';
import { deconvnet, gradient, guidedBackprop } from '../src/index.js';

/** One channel, score = -activation(x) summed: the only signal is negative, which the rectifying methods stop. */
function negativeNetwork(activation: 'Relu' | 'Sigmoid') {
  const builder = new GraphBuilder(emptyGraph('negative', 18));
  const input = builder.input({ name: 'input', type: 'float32', dims: ['N', 1, 2, 2] });
  const flat = builder.node('Flatten', [builder.node(activation, [input])], { axis: 1 });
  const scores = builder.node('Gemm', [flat, builder.floats([-1, -1, -1, -1], [1, 4])], { transB: 1 });
  builder.output({ name: scores, type: 'float32', dims: ['N', 1] });
  return builder.build();
}

const batch = { dims: [1, 1, 2, 2], data: Float32Array.from([1, 2, 3, 4]) };

it('says when no signal reaches the input', async () => {
  const model = await Model.load(negativeNetwork('Relu'));
  expect([...(await gradient(model, batch)).map.data]).toEqual([-1, -1, -1, -1]);
  expect((await gradient(model, batch)).notes).toEqual([]);
  // A class starts with a signal of 1 at its score, so the weight -1 makes it negative at the ReLU.
  for (const method of [guidedBackprop, deconvnet]) {
    const { map, notes } = await method(model, batch);
    expect(map.data.every((value) => value === 0)).toBe(true);
    expect(notes.join()).toContain('zero everywhere');
  }
  await model.close();
});

it('says which activations keep their derivative', async () => {
  const model = await Model.load(negativeNetwork('Sigmoid'));
  expect((await guidedBackprop(model, batch)).notes).toEqual([
    'guided-backprop is defined for ReLU; Sigmoid keeps the derivative',
    expect.stringContaining('the map is the gradient'),
  ]);
  expect((await gradient(model, batch)).notes).toEqual([]);
  await model.close();
});
