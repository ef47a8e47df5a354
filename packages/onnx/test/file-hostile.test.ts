import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { UnitscopeError } from '@unitscope/tensor';
import {
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type GraphProtoSchema,
  ModelProtoSchema,
} from 'onnx-buf';
import { afterAll, describe, expect, it } from 'vitest';
import { type Graph, readModel, readModelFile, sortNodes, writeModel } from '../src/index.js';

type GraphInit = MessageInitShape<typeof GraphProtoSchema>;

const relu = (input: string, output: string) => ({ opType: 'Relu', input: [input], output: [output] });
const floats = (name: string, dims: bigint[], count: number) => ({
  name,
  dims,
  dataType: DataType.FLOAT,
  rawData: new Uint8Array(4 * count),
});
const info = (name: string, dims?: bigint[]) => ({
  name,
  type: {
    value: {
      case: 'tensorType' as const,
      value: {
        elemType: DataType.FLOAT,
        ...(dims === undefined
          ? {}
          : { shape: { dim: dims.map((value) => ({ value: { case: 'dimValue' as const, value } })) } }),
      },
    },
  },
});

function modelBytes(graph: GraphInit, model: MessageInitShape<typeof ModelProtoSchema> = {}): Uint8Array {
  const whole = {
    irVersion: 8n,
    opsetImport: [{ version: 18n }],
    graph: { input: [info('x')], output: [info('y')], node: [relu('x', 'y')], ...graph },
    ...model,
  };
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, whole));
}

function failure(run: () => unknown): UnitscopeError {
  try {
    run();
  } catch (error) {
    if (error instanceof UnitscopeError) return error;
    throw error;
  }
  throw new Error('no error was thrown');
}

function expectBadFile(bytes: Uint8Array, expected: RegExp): void {
  const error = failure(() => readModel(bytes, { name: 'some.onnx' }));
  expect(error.code).toBe('bad-file');
  expect(error.message).toMatch(/^some\.onnx is not a usable ONNX file: .+; .+/);
  expect(error.message).toMatch(expected);
  expect(error.message).not.toMatch(/[\r\n]/);
  expect(error.message.length).toBeLessThan(500);
}

const ascii = (text: string) => new TextEncoder().encode(text);

describe('a file that is no ONNX model', () => {
  const files: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(0), /empty/],
    ['a PNG', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13), /PNG/],
    ['a JPEG', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16), /JPEG/],
    ['a zip archive', Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0), /zip archive/],
    ['a text', ascii('# this is a readme, not a network\n'), /a text file/],
    ['a web page', ascii('<!DOCTYPE html><html><head><title>404</title></head></html>'), /a text file/],
    [
      'a Git LFS pointer',
      ascii('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n'),
      /git lfs pull/,
    ],
    [
      'random bytes',
      Uint8Array.from({ length: 400 }, (_, i) => (i * 167 + 13) % 256),
      /truncated or of another kind/,
    ],
    ['a truncated model', modelBytes({}).slice(0, -3), /truncated/],
    ['a model without a graph', modelBytes({}, { graph: undefined }), /no graph/],
  ];
  it.each(files)('%s is refused', (_, bytes, expected) => expectBadFile(bytes, expected));
});

describe('a hostile graph', () => {
  const w = floats('w', [2n, 3n], 6);
  const graphs: [string, Uint8Array, RegExp][] = [
    [
      'a cycle',
      modelBytes({
        node: [
          relu('x', 'a'),
          { ...relu('b', 'y'), opType: 'Add', input: ['a', 'b'] },
          { ...relu('c', 'b'), name: 'second' },
          { ...relu('b', 'c'), name: 'first' },
        ],
      }),
      /the nodes (first|second) \(Relu\), (first|second) \(Relu\) form a cycle/,
    ],
    ['a node that reads itself', modelBytes({ node: [relu('y', 'y')] }), /form a cycle/],
    [
      'an input nobody makes',
      modelBytes({ node: [relu('z', 'y')] }),
      /"y \(Relu\)" reads "z", which nobody makes/,
    ],
    ['an output nobody makes', modelBytes({ output: [info('z')] }), /output "z"/],
    ['a value with two makers', modelBytes({ node: [relu('x', 'y'), relu('x', 'y')] }), /"y" is made twice/],
    [
      'a node that makes an input',
      modelBytes({ node: [relu('x', 'y'), relu('y', 'x')] }),
      /"x" is made twice/,
    ],
    [
      'a node that makes an initializer',
      modelBytes({ initializer: [w], node: [relu('x', 'y'), relu('y', 'w')] }),
      /"w" is made twice/,
    ],
    ['an input twice', modelBytes({ input: [info('x'), info('x')] }), /"x" is made twice/],
    ['an initializer twice', modelBytes({ initializer: [w, w] }), /initializer "w" is there twice/],
    [
      'an initializer without a name',
      modelBytes({ initializer: [{ ...w, name: '' }] }),
      /initializer has no name/,
    ],
    [
      'an input without a name',
      modelBytes({ input: [info('x'), info('')] }),
      /input of the graph has no name/,
    ],
    [
      'too little raw data',
      modelBytes({ initializer: [floats('w', [2n, 3n], 5)] }),
      /"w" of dims \[2, 3\] needs 24 bytes, 20 are there/,
    ],
    [
      'too much raw data',
      modelBytes({ initializer: [floats('w', [2n, 3n], 7)] }),
      /needs 24 bytes, 28 are there/,
    ],
    ['no data', modelBytes({ initializer: [floats('w', [2n, 3n], 0)] }), /needs 6 values, 0 are there/],
    [
      'too few numbers',
      modelBytes({ initializer: [{ name: 'w', dims: [3n], dataType: DataType.INT64, int64Data: [1n] }] }),
      /needs 3 values, 1 are there/,
    ],
    [
      'huge dims of a weight',
      modelBytes({ initializer: [floats('w', [2n ** 40n, 2n ** 40n], 1)] }),
      /impossible dims/,
    ],
    [
      'dims beyond all numbers',
      modelBytes({ initializer: [floats('w', [2n ** 62n], 1)] }),
      /impossible dims/,
    ],
    [
      'huge dims with a zero',
      modelBytes({ initializer: [floats('w', [0n, 2n ** 62n], 0)] }),
      /impossible dims/,
    ],
    [
      'dims that claim gigabytes',
      modelBytes({ initializer: [floats('w', [2n ** 33n], 1)] }),
      /needs 34359738368 bytes, 4 are there/,
    ],
    ['negative dims of a weight', modelBytes({ initializer: [floats('w', [-2n], 1)] }), /impossible dims/],
    [
      'very many axes',
      modelBytes({ initializer: [floats('w', new Array<bigint>(1000).fill(1n), 1)] }),
      /1000 axes/,
    ],
    [
      'huge dims of an input',
      modelBytes({ input: [info('x', [1n, 3n, 2n ** 31n, 2n ** 31n])] }),
      /input "x" has impossible dims/,
    ],
    [
      'negative dims of an input',
      modelBytes({ input: [info('x', [1n, -3n])] }),
      /input "x" has impossible dims/,
    ],
    [
      'an unknown element type',
      modelBytes({ initializer: [{ ...w, dataType: 99 }] }),
      /unknown element type 99/,
    ],
    [
      'a weight without a type',
      modelBytes({ initializer: [{ ...w, dataType: 0 }] }),
      /unknown element type 0/,
    ],
    [
      'a node without an operator',
      modelBytes({ node: [{ ...relu('x', 'y'), opType: '' }] }),
      /"y" has no operator/,
    ],
    [
      'an attribute twice',
      modelBytes({
        node: [
          { ...relu('x', 'y'), attribute: [1n, 2n].map((i) => ({ name: 'a', type: AttributeType.INT, i })) },
        ],
      }),
      /attribute "a" of node "y" is there twice/,
    ],
    [
      'a tensor attribute without a tensor',
      modelBytes({
        node: [{ ...relu('x', 'y'), attribute: [{ name: 'value', type: AttributeType.TENSOR }] }],
      }),
      /holds none/,
    ],
    ['no operator set', modelBytes({}, { opsetImport: [] }), /operator set/],
    [
      'an impossible operator set',
      modelBytes({}, { opsetImport: [{ version: 2n ** 40n }] }),
      /version 1099511627776/,
    ],
    [
      'two versions of an operator set',
      modelBytes({}, { opsetImport: [{ version: 17n }, { domain: 'ai.onnx', version: 18n }] }),
      /two versions/,
    ],
    ['no format version', modelBytes({}, { irVersion: 0n }), /ir_version/],
    [
      'external data',
      modelBytes({
        initializer: [
          {
            ...w,
            rawData: new Uint8Array(0),
            dataLocation: 1,
            externalData: [{ key: 'location', value: 'w.bin' }],
          },
        ],
      }),
      /lies in the file "w.bin".*read the model by its path/,
    ],
    [
      'names with line breaks, very long',
      modelBytes({ node: [relu(`a\nb${'c'.repeat(10_000)}`, 'y')] }),
      /reads "a\\nbccc/,
    ],
  ];
  it.each(graphs)('with %s is refused', (_, bytes, expected) => expectBadFile(bytes, expected));

  it('with subgraphs nested thousands deep is refused', () => {
    // Written from the inside out, since the encoder would recurse.
    let inner = Uint8Array.of(0x0a, 0);
    const wrap = (tag: number, content: Uint8Array) => {
      const length: number[] = [];
      for (let rest = content.length; ; rest >>>= 7) {
        length.push((rest & 127) | (rest > 127 ? 128 : 0));
        if (rest <= 127) break;
      }
      return Uint8Array.of(tag, ...length, ...content);
    };
    // graph.node (1) . attribute (5) . g (6)
    for (let depth = 0; depth < 500; depth++) inner = wrap(0x0a, wrap(0x2a, wrap(0x32, inner)));
    expectBadFile(wrap(0x3a, inner), /recursion/);
  });

  it('takes -1 as a size known at run time only', () => {
    const graph = readModel(modelBytes({ input: [info('x', [-1n, 3n])] }));
    expect(graph.inputs[0]?.dims).toEqual(['', 3]);
  });
});

describe('the order of nodes', { timeout: 60_000 }, () => {
  const shuffled = modelBytes({ node: [relu('b', 'y'), relu('a', 'b'), relu('x', 'a')] });
  const makes = (graph: Graph) => graph.nodes.map((node) => node.outputs[0]);

  it('is made topological, and the file keeps its own', () => {
    const graph = readModel(shuffled);
    expect(makes(graph)).toEqual(['a', 'b', 'y']);
    expect(writeModel(graph)).toEqual(shuffled);
    expect(makes(readModel(writeModel({ ...graph })))).toEqual(['a', 'b', 'y']);
  });

  it('counts what a subgraph reads from outside', () => {
    const branch = { name: 'then', node: [relu('late', 'inner')], output: [info('inner')] };
    const attribute = ['then_branch', 'else_branch'].map((name) => ({
      name,
      type: AttributeType.GRAPH,
      g: branch,
    }));
    const graph = readModel(
      modelBytes({ node: [{ opType: 'If', input: ['x'], output: ['y'], attribute }, relu('x', 'late')] }),
    );
    expect(makes(graph)).toEqual(['late', 'y']);
    expect(sortNodes(graph)).toBe(graph);
    expectBadFile(
      modelBytes({ node: [{ opType: 'If', input: ['x'], output: ['y'], attribute }] }),
      /reads "late", which nobody makes/,
    );
  });

  it('is found for a chain of thirty thousand nodes in reverse', () => {
    const count = 30_000;
    const node = Array.from({ length: count }, (_, i) => relu(`v${count - 1 - i}`, `v${count - i}`));
    const graph = readModel(modelBytes({ input: [info('v0')], output: [info(`v${count}`)], node }));
    expect(graph.nodes[0]?.outputs[0]).toBe('v1');
    expect(graph.nodes.at(-1)?.outputs[0]).toBe(`v${count}`);
  });
});

describe('readModelFile', () => {
  const folder = mkdtempSync(join(tmpdir(), 'unitscope-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('says what is wrong with the path', async () => {
    await expect(readModelFile(join(folder, 'none.onnx'))).rejects.toMatchObject({ code: 'not-found' });
    await expect(readModelFile(folder)).rejects.toThrow(/it is a folder/);
  });

  it('names the file in the error', async () => {
    writeFileSync(join(folder, 'broken.onnx'), modelBytes({}).slice(0, -2));
    await expect(readModelFile(join(folder, 'broken.onnx'))).rejects.toThrow(/^broken\.onnx is not a usable/);
  });
});
