import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { UnitscopeError } from '@unitscope/tensor';
import { ModelProtoSchema, TensorProtoSchema } from 'onnx-buf';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { type Constant, type Graph, opsetOf, readModel, upgradeOpset } from '../src/index.js';
import { testdataModels } from './file-sources.js';
import { type Outputs, runGraph } from './upgrade-runtime.js';

const models = testdataModels();

/** A tensor file of ONNX's tests, read as the only weight of a model. */
function readTensor(path: string): Constant {
  const tensor = fromBinary(TensorProtoSchema, readFileSync(path));
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ version: 18n }],
    graph: { initializer: [{ ...tensor, name: 'tensor' }] },
  });
  return readModel(toBinary(ModelProtoSchema, model)).initializers.get('tensor')!;
}

function feedsOf(graph: Graph, path: string): Record<string, ort.Tensor> | undefined {
  const feeds: Record<string, ort.Tensor> = {};
  for (const [index, { name }] of graph.inputs.entries()) {
    const { type, dims, data } = readTensor(`${dirname(path)}/test_data_set_0/input_${index}.pb`);
    if (type === 'float32' && data instanceof Float32Array) feeds[name] = new ort.Tensor(data, dims);
    else if (type === 'int64' && data instanceof BigInt64Array) feeds[name] = new ort.Tensor(data, dims);
    else return undefined;
  }
  return feeds;
}

/** The outputs, or undefined where ONNX Runtime cannot run the model as it is. */
async function runIfPossible(graph: Graph, feeds: Record<string, ort.Tensor>): Promise<Outputs | undefined> {
  return runGraph(graph, feeds).catch(() => undefined);
}

describe.skipIf(models.length === 0)(
  "ONNX's own test models of older operator sets",
  { timeout: 120_000 },
  () => {
    it('compute the same after the upgrade', async () => {
      let compared = 0;
      const refused: string[] = [];
      for (const path of models) {
        const graph = readModel(readFileSync(path), { name: path });
        if (opsetOf(graph) < 7 || opsetOf(graph) >= 18) continue;
        const upgraded = upgradeOrUndefined(graph);
        if (upgraded === undefined) {
          refused.push(basename(dirname(path)));
          continue;
        }
        const kept = new Set(graph.nodes);
        if (upgraded.nodes.every((node) => kept.has(node))) continue;
        const feeds = feedsOf(graph, path);
        const before = feeds === undefined ? undefined : await runIfPossible(graph, feeds);
        if (feeds === undefined || before === undefined) continue;
        const after = await runGraph(upgraded, feeds);
        for (const [name, { dims, type, data }] of before) {
          const result = after.get(name)!;
          expect({ dims: result.dims, type: result.type }, path).toEqual({ dims, type });
          const worst = data.findIndex((value, index) => !equal(value, result.data[index]));
          expect(worst, `${path}: ${name} differs at this element`).toBe(-1);
        }
        compared++;
      }
      expect(compared).toBeGreaterThan(100);
      // A subgraph in an old form, a batched Scan, and a sampling that later versions do not have.
      expect(refused.sort()).toEqual([
        'test_loop11',
        'test_resize_downsample_sizes_nearest_tf_half_pixel_for_nn',
        'test_scan_sum',
      ]);
    });
  },
);

function upgradeOrUndefined(graph: Graph): Graph | undefined {
  try {
    return upgradeOpset(graph);
  } catch (error) {
    if (error instanceof UnitscopeError && error.code === 'unsupported') return undefined;
    throw error;
  }
}

/** Equal, or but for the rounding of another order of the same sums. */
function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b) || typeof a === 'bigint') return Object.is(a, b);
  return Math.abs(Number(a) - Number(b)) <= 1e-6 * Math.abs(Number(a));
}
