import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type ElementType,
  emptyGraph,
  encodeForRuntime,
  type Graph,
  GraphBuilder,
  type RuntimeModel,
  renameValues,
  writeModel,
} from '@unitscope/onnx';

/** The library that the package onnxruntime-node brings for this machine. */
export const library = join(
  dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  'bin',
  'napi-v6',
  process.platform,
  process.arch,
  'libonnxruntime.so.1',
);

export const hasLibrary = existsSync(library);
if (!hasLibrary) console.warn(`tests of the binding to ONNX Runtime are skipped: there is no ${library}`);

/** A program of this folder. */
export const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** y = operator(inputs...), all of one type and shape. */
export function elementwise(
  operator: string,
  inputs: readonly string[],
  type: ElementType = 'float32',
  dims: readonly (number | string)[] = ['n', 'm'],
): Uint8Array {
  const builder = new GraphBuilder(emptyGraph(operator, 18));
  const names = inputs.map((name) => builder.input({ name, type, dims }));
  return writeModel(finish(builder, builder.node(operator, names), type, dims));
}

/** y = x^(products + 1) for a square matrix: long, where the matrix is large. */
export function power(products: number): Uint8Array {
  const builder = new GraphBuilder(emptyGraph('power', 18));
  const dims = ['n', 'n'];
  const x = builder.input({ name: 'x', type: 'float32', dims });
  let last = x;
  for (let i = 0; i < products; i++) last = builder.node('MatMul', [last, x]);
  return writeModel(finish(builder, last, 'float32', dims));
}

/** Sizes of the input of `heavy`. */
export const heavyDims = [1, 1 << 18];

/** y = x times weights of that many megabytes, one column each, and all of them `weight`. */
export function heavy(megabytes: number, weight: number): Uint8Array {
  const builder = new GraphBuilder(emptyGraph('heavy', 18));
  const x = builder.input({ name: 'x', type: 'float32', dims: heavyDims });
  const data = new Float32Array(megabytes * (1 << 18)).fill(weight);
  const weights = builder.constant({ type: 'float32', dims: [1 << 18, megabytes], data });
  return writeModel(finish(builder, builder.node('MatMul', [x, weights]), 'float32', [1, megabytes]));
}

/** y = x + a, with a in a file of its own. */
export function shiftBy(a: Float32Array): RuntimeModel {
  const builder = new GraphBuilder(emptyGraph('shift', 18));
  const x = builder.input({ name: 'x', type: 'float32', dims: [a.length] });
  const shift = builder.constant({ type: 'float32', dims: [a.length], data: a });
  return encodeForRuntime(finish(builder, builder.node('Add', [x, shift]), 'float32', [a.length]), 0);
}

function finish(
  builder: GraphBuilder,
  output: string,
  type: ElementType,
  dims: readonly (number | string)[],
): Graph {
  builder.output({ name: output, type, dims });
  return renameValues(builder.build(), new Map([[output, 'y']]));
}
