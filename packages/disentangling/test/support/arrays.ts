import { openEngine } from '@unitscope/model';
import type { Graph } from '@unitscope/onnx';
import { Random, type Tensor, type TensorData } from '@unitscope/tensor';
import { expect } from 'vitest';

/** Maps after a ReLU: about half of the cells are 0. */
export function randomMaps(dims: readonly number[], seed: number, scale = 1): Tensor {
  const { data } = new Random(seed).normalTensor(dims, 0, scale);
  return { dims, data: data.map((value) => Math.max(value, 0)) };
}

/** Every element within `relative` of the expected one, and `absolute` of it. */
export function expectClose(
  actual: ArrayLike<number | bigint>,
  expected: ArrayLike<number | bigint>,
  relative: number,
  absolute = 0,
): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [found, wanted] = [Number(actual[i]), Number(expected[i])];
    const bound = relative * Math.abs(wanted) + absolute;
    if (!(Math.abs(found - wanted) <= bound)) expect.fail(`[${i}] is ${found}, not ${wanted}`);
  }
}

export function largestOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** The outputs of a graph on ONNX Runtime, by name. */
export async function runOnRuntime(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor<TensorData>>>,
): Promise<Record<string, Tensor<TensorData>>> {
  const engine = await openEngine();
  try {
    const session = await engine.load(graph);
    return await session.run(feeds);
  } finally {
    await engine.close();
  }
}
