import type { Graph } from '@unitscope/onnx';
import { writeModel } from '@unitscope/onnx';
import type { Tensor } from '@unitscope/tensor';
import * as node from 'onnxruntime-node';
import * as web from 'onnxruntime-web';

// The web's runtime as a browser would run it: WebAssembly, one thread, the file that lies in the package.
web.env.wasm.numThreads = 1;

export interface Maps {
  readonly [output: string]: { readonly dims: readonly number[]; readonly data: readonly number[] };
}

/** A file open in one runtime. */
export interface Opened {
  run(feeds: Readonly<Record<string, Tensor | readonly bigint[]>>): Promise<Maps>;
  close(): Promise<void>;
}

const RUNTIMES = { node, web };
export type RuntimeName = keyof typeof RUNTIMES;
export const runtimeNames: readonly RuntimeName[] = ['node', 'web'];

export async function open(runtime: RuntimeName, graph: Graph | Uint8Array): Promise<Opened> {
  const bytes = graph instanceof Uint8Array ? graph : writeModel(graph);
  const { InferenceSession, Tensor: OrtTensor } = RUNTIMES[runtime];
  const session = await InferenceSession.create(bytes, {
    executionProviders: [runtime === 'node' ? 'cpu' : 'wasm'],
    intraOpNumThreads: runtime === 'node' ? 2 : 1,
  });
  return {
    run: async (feeds) => {
      const entries = Object.entries(feeds).map(([name, feed]) => [
        name,
        'data' in feed
          ? new OrtTensor('float32', feed.data, feed.dims)
          : new OrtTensor('int64', BigInt64Array.from(feed), [feed.length]),
      ]);
      const results = await session.run(Object.fromEntries(entries));
      return Object.fromEntries(
        Object.entries(results).map(([name, { dims, data }]) => {
          if (typeof data === 'string' || !ArrayBuffer.isView(data))
            throw new Error(`${name} is no tensor of numbers`);
          return [name, { dims, data: Array.from(data as Float32Array | BigInt64Array, Number) }];
        }),
      );
    },
    close: () => session.release(),
  };
}

/** Runs a file once. */
export async function runOn(
  runtime: RuntimeName,
  graph: Graph | Uint8Array,
  feeds: Readonly<Record<string, Tensor | readonly bigint[]>>,
): Promise<Maps> {
  const opened = await open(runtime, graph);
  try {
    return await opened.run(feeds);
  } finally {
    await opened.close();
  }
}

/** |a - b| / |b|; 0 for two maps of zeros. */
export function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} numbers, not ${expected.length}`);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}
