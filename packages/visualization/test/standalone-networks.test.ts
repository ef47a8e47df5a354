import { statSync } from 'node:fs';
import { Model } from '@unitscope/model';
import { writeModel } from '@unitscope/onnx';
import { Random, sliceBatch, type Tensor } from '@unitscope/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compileExplanation,
  explain,
  type Method,
  methodNamed,
  type StandaloneOptions,
  smoothGradMethod,
  standaloneNoise,
} from '../src/index.js';
import { Golden, goldensAreThere } from './support/goldens.js';
import { type Maps, open, runtimeNames } from './support/runtimes.js';

interface Case {
  readonly method: string;
  readonly options?: StandaloneOptions;
  /** The golden of its map. */
  readonly golden?: string;
}

const NETWORKS: readonly {
  name: string;
  input: string;
  target: (golden: Golden) => number;
  cases: readonly Case[];
}[] = [
  {
    name: 'mobilenet_v2_035',
    input: 'input',
    target: ({ manifest }) => manifest.target_class!,
    cases: [
      { method: 'gradient', golden: 'gradient' },
      { method: 'guided-backprop', golden: 'guided_backprop_incl_relu6' },
      { method: 'deconvnet' },
      { method: 'grad-cam', options: { layer: 'tap_cam' }, golden: 'gradcam_relu_upsampled_bilinear' },
      // Few steps and samples, for time.
      { method: 'smoothgrad', options: { samples: 2, seed: 5, noise: 0.1 } },
      { method: 'integrated-gradients', options: { steps: 2 } },
    ],
  },
  {
    name: 'trained_squeezenet10',
    input: 'img0.input',
    target: ({ manifest }) => manifest.cases![0]!.target,
    cases: [
      { method: 'gradient', golden: 'img0.gradient' },
      { method: 'guided-backprop', golden: 'img0.guided_backprop' },
      { method: 'grad-cam' },
    ],
  },
];

/** What float32 may lose, as the goldens come with: a part of the largest element. */
const FLOAT32 = 1e-4;

function expectNear(actual: ArrayLike<number>, expected: Float32Array, what: string): void {
  expect(actual.length).toBe(expected.length);
  let [worst, largest] = [0, 0];
  for (const [i, value] of expected.entries()) {
    worst = Math.max(worst, Math.abs(actual[i]! - value));
    largest = Math.max(largest, Math.abs(value));
  }
  expect(largest, what).toBeGreaterThan(0);
  expect(worst / largest, what).toBeLessThan(FLOAT32);
}

function methodOf({ method, options = {} }: Case, { dims, data }: Tensor): Method {
  const { samples, seed, noise } = options;
  if (samples === undefined || seed === undefined || noise === undefined) return methodNamed(method, options);
  const range = data.reduce((a, b) => Math.max(a, b)) - data.reduce((a, b) => Math.min(a, b));
  const drawn = standaloneNoise({ samples, seed, dims: dims.slice(1) });
  return smoothGradMethod({
    given: { dims: drawn.dims, data: drawn.data.map((value) => value * noise * range) },
  });
}

describe.skipIf(!goldensAreThere()).each(NETWORKS)('a file of $name', ({ name, input, target, cases }) => {
  let golden: Golden;
  let model: Model;
  let batch: Tensor;
  let targets: readonly [number, number];
  beforeAll(async () => {
    golden = new Golden(name);
    model = await Model.load(golden.model, { engine: 'onnxruntime-node' });
    const { dims, data } = golden.input(input);
    const other = new Random(1).normalTensor(dims);
    batch = { dims: [2, ...dims.slice(1)], data: Float32Array.from([...data, ...other.data]) };
    targets = [target(golden), 7];
  });
  afterAll(() => model.close());

  it.each(cases)('by $method is what explain and the golden say, on every runtime', async (one) => {
    const { graph } = compileExplanation(model, one.method, one.options);
    const bytes = writeModel(graph);
    // Weights are in it once; what is more are nodes.
    expect(bytes.length).toBeLessThan(statSync(golden.model).size + 128 * graph.nodes.length + 20_000);
    const found = new Map<string, Maps>();
    for (const runtime of runtimeNames) {
      const session = await open(runtime, bytes);
      found.set(
        runtime,
        await session.run({ [model.input.name]: batch, target: targets.map((aim) => BigInt(aim)) }),
      );
      await session.close();
    }
    for (const n of [0, 1]) {
      const picture = sliceBatch(batch, n, n + 1);
      const { map, logits } = await explain(model, methodOf(one, picture), picture, {
        target: targets[n]!,
      });
      for (const [runtime, { map: maps, scores }] of found) {
        const what = `picture ${n} on ${runtime}`;
        const part = (values: Maps[string]) =>
          values.data.slice((n * values.data.length) / 2, ((n + 1) * values.data.length) / 2);
        expectNear(part(maps!), map.data, what);
        expectNear(part(scores!), logits!.data, what);
        if (n === 0 && one.golden !== undefined) {
          golden.expectEqual({ dims: map.dims, data: Float32Array.from(part(maps!)) }, one.golden, 1e-3);
        }
      }
    }
  });
});
