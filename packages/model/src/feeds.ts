import type { ElementType, Graph, ValueInfo } from '@unitscope/onnx';
import { sizeOf, UnitscopeError } from '@unitscope/tensor';
import type { Tensors } from './engine.js';

const ARRAYS: Partial<Record<ElementType, abstract new () => object>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
};

/** The inputs of a graph that must be fed: those without a value in the file. */
export function fedInputs(graph: Graph): readonly ValueInfo[] {
  return graph.inputs.filter(({ name }) => !graph.initializers.has(name));
}

/**
 * Throws `bad-input` for feeds that no engine can take, whatever the sizes: one that is missing or unknown, data that
 * are not of the input's type or not as many as the dims say.
 */
export function requireFeeds(label: string, inputs: readonly ValueInfo[], feeds: Tensors): void {
  const refuse = (name: string, why: string) =>
    new UnitscopeError('bad-input', `${label}: ${why}`, { subject: name });
  for (const { name, type } of inputs) {
    const feed = feeds[name];
    if (feed === undefined) throw refuse(name, `the input "${name}" is not fed`);
    const { dims, data } = feed;
    const wanted = ARRAYS[type];
    if (wanted !== undefined && !(data instanceof wanted)) {
      const got = data.constructor.name;
      throw refuse(name, `the input "${name}" takes ${type} in a ${wanted.name}, got ${got}`);
    }
    if (sizeOf(dims) !== data.length) {
      throw refuse(name, `the input "${name}" is fed ${data.length} elements for dims [${dims.join(', ')}]`);
    }
  }
  const known = inputs.map(({ name }) => name);
  for (const name of Object.keys(feeds)) {
    if (!known.includes(name)) {
      throw refuse(name, `there is no input "${name}"; there are: ${known.join(', ')}`);
    }
  }
}
