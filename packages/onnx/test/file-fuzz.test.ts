import { readFileSync, statSync } from 'node:fs';
import { Random, UnitscopeError } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import {
  emptyGraph,
  encodeForRuntime,
  type Graph,
  GraphBuilder,
  pruneGraph,
  readModel,
  upgradeOpset,
  writeModel,
} from '../src/index.js';
import { testdataModels } from './file-sources.js';

/** A small network with most of what a model file can hold. */
function smallNetwork(opset: number): Graph {
  const random = new Random(5);
  const builder = new GraphBuilder(emptyGraph('fuzzed', opset));
  const x = builder.input({ name: 'input', type: 'float32', dims: ['N', 2, 6, 6] });
  const w = builder.constant({ type: 'float32', ...random.normalTensor([3, 2, 3, 3]) }, 'conv.weight');
  const conv = builder.node('Conv', [x, w], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, { name: 'conv' });
  const relu = builder.node('Relu', [conv], {}, { name: 'relu' });
  const pool = builder.node('MaxPool', [relu], { kernel_shape: [2, 2], strides: [2, 2] }, { name: 'pool' });
  const value = { type: 'float32', dims: [1], data: Float32Array.of(0.5) } as const;
  const half = builder.node('Constant', [], { value }, { name: 'half' });
  const scaled = builder.node('Mul', [pool, half], {}, { name: 'scale' });
  const flat = builder.node('Flatten', [scaled], { axis: 1 }, { name: 'flat' });
  const matrix = builder.constant({ type: 'float32', ...random.normalTensor([27, 4]) }, 'fc.weight');
  const logits = builder.node('Gemm', [flat, matrix], { alpha: { float: 1.5 } }, { name: 'fc' });
  builder.output({ name: builder.node('Softmax', [logits], { axis: 1 }), type: 'float32', dims: ['N', 4] });
  return builder.build();
}

/** Bytes changed as a broken disk, a cut transfer or an enemy would. */
function mutate(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const place = (size: number) => random.integer(0, Math.max(0, size - 1));
  const mutant = new Uint8Array(bytes);
  switch (random.integer(0, 6)) {
    case 0:
      return mutant.subarray(0, place(mutant.length));
    case 1: {
      const from = place(mutant.length);
      const to = Math.min(mutant.length, from + random.integer(1, 24));
      return Uint8Array.of(...mutant.subarray(0, from), ...mutant.subarray(to));
    }
    case 2: {
      const start = place(other.length);
      const piece = other.subarray(start, start + random.integer(1, 64));
      const at = place(mutant.length);
      return Uint8Array.of(...mutant.subarray(0, at), ...piece, ...mutant.subarray(at));
    }
    case 3: {
      // The largest length or number that fits into the place.
      const at = place(mutant.length);
      mutant.fill(0xff, at, at + random.integer(1, 9));
      return mutant;
    }
    default:
      for (let flips = random.integer(1, 4); flips > 0; flips--) {
        mutant[place(mutant.length)]! ^= 1 << random.integer(0, 7);
      }
      return mutant;
  }
}

interface Tally {
  graphs: number;
  refused: number;
}

/** Reads mutants and uses those that are models; anything but a UnitscopeError fails the test. */
function fuzz(seeds: readonly Uint8Array[], count: number, random: Random): Tally {
  const tally = { graphs: 0, refused: 0 };
  for (let round = 0; round < count; round++) {
    const bytes = seeds[random.integer(0, seeds.length - 1)]!;
    const mutant = mutate(bytes, seeds[random.integer(0, seeds.length - 1)]!, random);
    try {
      const graph = readModel(mutant);
      tally.graphs++;
      expect(Buffer.compare(writeModel(graph), mutant)).toBe(0);
      // What was accepted must be usable: encoded anew it reads as the same graph.
      const again = readModel(writeModel({ ...graph }));
      expect(again.nodes).toEqual(graph.nodes);
      encodeForRuntime(pruneGraph(graph), 16);
      upgradeOpset(graph);
    } catch (error) {
      if (!(error instanceof UnitscopeError)) {
        throw new Error(`mutant ${round}: ${Buffer.from(mutant).toString('base64')}`, { cause: error });
      }
      expect(error.message).not.toMatch(/[\r\n]/);
      tally.refused++;
    }
  }
  return tally;
}

describe('mutated model files', { timeout: 60_000 }, () => {
  it('are read or refused, never more', () => {
    const seeds = [9, 13, 18].map((opset) => writeModel(smallNetwork(opset)));
    const { graphs, refused } = fuzz(seeds, 3000, new Random(1));
    expect(graphs).toBeGreaterThan(500);
    expect(refused).toBeGreaterThan(500);
  });

  const models = testdataModels().filter((path) => statSync(path).size < 1500);
  it.skipIf(models.length === 0)("of ONNX's own tests are read or refused, never more", () => {
    const seeds = models.map((path) => new Uint8Array(readFileSync(path)));
    const { graphs, refused } = fuzz(seeds, 4000, new Random(2));
    expect(graphs).toBeGreaterThan(500);
    expect(refused).toBeGreaterThan(500);
  });
});
