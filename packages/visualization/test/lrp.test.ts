import { Model } from '@unitscope/model';
import { emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { Random, type Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { explain, inputTimesGradient, lrp, lrpEpsilon, lrpEpsilonMethod, lrpMethod } from '../src/index.js';
import { Golden, goldensAreThere } from './support/goldens.js';

/** Two convolutions with ReLUs, the mean of the map, three scores; with biases of this size. */
function network(bias: number): Graph {
  const random = new Random(3);
  const builder = new GraphBuilder(emptyGraph('relevance', 18));
  const weight = (dims: readonly number[]) =>
    builder.constant({ type: 'float32', dims, data: random.normalTensor(dims, 0, 0.4).data }, 'w');
  let value = builder.input({ name: 'input', type: 'float32', dims: ['N', 3, 8, 8] });
  for (let i = 0; i < 2; i++) {
    const inputs = [value, weight([4, i === 0 ? 3 : 4, 3, 3]), builder.floats([bias, bias, bias, bias])];
    value = builder.node('Relu', [
      builder.node('Conv', inputs, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
    ]);
  }
  const flat = builder.node('Flatten', [builder.node('GlobalAveragePool', [value])], { axis: 1 });
  const scores = builder.node('Gemm', [flat, weight([4, 3])]);
  builder.output({ name: scores, type: 'float32', dims: ['N', 3] });
  return builder.build();
}

const batch: Tensor = new Random(9).normalTensor([2, 3, 8, 8]);

const sums = ({ dims, data }: Tensor): number[] =>
  Array.from({ length: dims[0]! }, (_, n) => {
    const size = data.length / dims[0]!;
    return data.subarray(n * size, (n + 1) * size).reduce((total, value) => total + value, 0);
  });

describe('relevance', () => {
  it('is the score where there are no biases, and says nothing', async () => {
    const model = await Model.load(network(0));
    for (const method of [lrp, lrpEpsilon]) {
      const { map, score, notes } = await method(model, batch);
      sums(map).forEach((sum, n) => void expect(sum / score[n]!).toBeCloseTo(1, 3));
      expect(notes).toEqual([]);
    }
    await model.close();
  });

  it('by a small epsilon is input times gradient, by a large one is less', async () => {
    const model = await Model.load(network(0));
    const { map } = await inputTimesGradient(model, batch);
    const small = await explain(model, lrpEpsilonMethod({ epsilon: 1e-9 }), batch);
    small.map.data.forEach((value, i) => void expect(value).toBeCloseTo(map.data[i]!, 5));
    const large = await explain(model, lrpEpsilonMethod({ epsilon: 10 }), batch);
    const mass = ({ data }: Tensor) => data.reduce((total, value) => total + Math.abs(value), 0);
    expect(mass(large.map)).toBeLessThan(0.1 * mass(map));
    expect(large.parameters).toEqual({ epsilon: 10 });
    expect(large.notes).toEqual([
      expect.stringMatching(/of picture 0, 1 sums up to .* %, .* % of the score; biases and epsilon took/),
    ]);
    await model.close();
  });

  it('refuses an epsilon that is none', () => {
    expect(() => lrpMethod({ epsilon: 0 })).toThrow(/epsilon must be a number above 0/);
  });
});

it.skipIf(!goldensAreThere())('of a SqueezeNet holds the whole score of a photo', async () => {
  const golden = new Golden('trained_squeezenet10');
  const model = await Model.load(golden.model);
  for (const image of golden.manifest.images!.keys()) {
    const { map, score, notes } = await lrp(model, golden.input(`img${image}.input`));
    // Z-plus hands on all it gets but where nothing but its bias makes an output positive, which a photo hardly has.
    expect(Math.abs(sums(map)[0]! / score[0]! - 1)).toBeLessThan(1e-4);
    expect(notes).toEqual([]);
  }
  await model.close();
});
