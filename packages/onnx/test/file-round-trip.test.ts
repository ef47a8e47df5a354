import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  attributesFrom,
  type Constant,
  emptyGraph,
  type Graph,
  GraphBuilder,
  readModel,
  type ValueInfo,
  writeModel,
} from '../src/index.js';
import { sharedModels, testdataModels } from './file-sources.js';

const testdata = testdataModels();
const networks = sharedModels();

function read(path: string): { bytes: Uint8Array; graph: Graph } {
  const bytes = readFileSync(path);
  return { bytes, graph: readModel(bytes, { name: path, folder: dirname(path) }) };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

describe.skipIf(testdata.length === 0)("ONNX's own test models", { timeout: 60_000 }, () => {
  it('come back as the bytes they were', () => {
    const changed = testdata.filter((path) => {
      const { bytes, graph } = read(path);
      return !same(writeModel(graph), bytes);
    });
    expect(changed).toEqual([]);
    expect(testdata.length).toBeGreaterThan(1000);
  });

  it('come back as the bytes they were when encoded anew', () => {
    // A copy of the Graph has no bytes to go back to: every part of it is encoded.
    const changed = testdata.filter((path) => {
      const { bytes, graph } = read(path);
      return !same(writeModel({ ...graph }), bytes);
    });
    expect(changed).toEqual([]);
  });

  it('say the same when nothing but the Graph itself is written', () => {
    let compared = 0;
    for (const path of testdata) {
      const { graph } = read(path);
      const plain = withoutOrigins(graph);
      if (plain === undefined) continue;
      expect(comparable(readModel(writeModel(plain)))).toEqual(comparable(graph));
      compared++;
    }
    expect(compared).toBeGreaterThan(900);
  });
});

describe.skipIf(networks.length === 0)('networks', { timeout: 60_000 }, () => {
  it.each(networks)('%s comes back as the bytes it was', (path) => {
    const { bytes, graph } = read(path);
    expect(same(writeModel(graph), bytes)).toBe(true);
    expect(same(writeModel({ ...graph }), bytes)).toBe(true);
  });

  it.each(networks)('%s has all its weights when they are decoded and encoded anew', (path) => {
    const { graph } = read(path);
    const plain = withoutOrigins(graph)!;
    expect(comparable(readModel(writeModel(plain)))).toEqual(comparable(graph));
  });
});

/** The Graph as somebody could have built it; undefined where it has what only a file can hold. */
function withoutOrigins(graph: Graph): Graph | undefined {
  const plainInfo = (info: ValueInfo): ValueInfo => ({ ...info });
  const constants = [...graph.initializers.values()];
  for (const node of graph.nodes) {
    for (const attribute of node.attributes.values()) {
      if (attribute.kind === 'other') return undefined;
      if (attribute.kind === 'tensor') constants.push({ ...graph, ...attribute.value, name: '' });
    }
  }
  if (constants.some(({ type }) => type === 'other' || type === 'string')) return undefined;
  const { rest, ...fields } = graph;
  return {
    ...fields,
    inputs: graph.inputs.map(plainInfo),
    outputs: graph.outputs.map(plainInfo),
    valueInfo: new Map([...graph.valueInfo].map(([name, info]) => [name, plainInfo(info)])),
    initializers: new Map([...graph.initializers].map(([name, weight]) => [name, { ...weight }])),
    nodes: graph.nodes.map((node) => ({
      ...node,
      attributes: new Map(
        [...node.attributes].map(([name, attribute]) => [
          name,
          attribute.kind === 'tensor' ? { ...attribute, value: { ...attribute.value } } : { ...attribute },
        ]),
      ),
    })),
  };
}

/** A graph in a form that compares fast: data as its type and the hash of its bytes. */
function comparable({ rest, ...graph }: Graph): unknown {
  const digest = ({ data, ...head }: Constant) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return { ...head, data: `${data.constructor.name} ${createHash('sha256').update(bytes).digest('hex')}` };
  };
  return {
    ...graph,
    initializers: [...graph.initializers.values()].map(digest),
    nodes: graph.nodes.map((node) => ({
      ...node,
      attributes: [...node.attributes].map(([name, attribute]) => [
        name,
        attribute.kind === 'tensor' ? digest(attribute.value) : attribute,
      ]),
    })),
  };
}

describe('a graph that was built', () => {
  it('comes back with every kind of attribute and element type', () => {
    const builder = new GraphBuilder(emptyGraph('built', 18));
    const x = builder.input({ name: 'x', type: 'float32', dims: ['N', 3, '', 5] });
    const weights = [
      builder.constant({ type: 'float64', dims: [2], data: Float64Array.of(1 / 3, -0) }),
      builder.constant({ type: 'int8', dims: [2], data: Int8Array.of(-128, 127) }),
      builder.constant({ type: 'uint64', dims: [1], data: BigUint64Array.of(2n ** 64n - 1n) }),
      builder.constant({ type: 'float16', dims: [1], data: Uint16Array.of(0x3c00) }),
      builder.constant({ type: 'bool', dims: [0], data: new Uint8Array(0) }),
      builder.floats(2.5),
    ];
    builder.append({
      name: 'all',
      operator: 'Anything',
      domain: 'unitscope',
      inputs: [x, '', ...weights],
      outputs: ['y', '', 'z'],
      attributes: new Map([
        ...attributesFrom({
          int: -7,
          float: { float: 0.5 },
          text: 'héllo',
          ints: [1, -1, 2 ** 40],
          floats: { floats: [0.25, -3] },
          tensor: { type: 'int32', dims: [2, 1], data: Int32Array.of(1, -1) },
        }),
        ['texts', { kind: 'strings' as const, value: ['a', ''] }],
      ]),
    });
    builder.output({ name: 'y', type: 'float32', dims: undefined });
    builder.output({ name: 'z', type: 'int64', dims: [] });
    const graph = builder.build();
    expect(comparable(readModel(writeModel(graph)))).toEqual(comparable(graph));
  });

  it.skipIf(networks.length === 0)('keeps what the Graph does not model when it is changed', () => {
    const path = networks[0]!;
    const { graph } = read(path);
    const renamed = readModel(writeModel({ ...graph, name: 'renamed' }));
    expect(renamed.name).toBe('renamed');
    expect(same(writeModel({ ...renamed, name: graph.name }), readFileSync(path))).toBe(true);
  });
});
