import { createHash } from 'node:crypto';
import { evaluate, inferShapes, readModel, writeModel } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { architectureNames, buildArchitecture, Trainer } from '../src/index.js';

const SMALL = architectureNames.filter(
  (name) => name.includes('small') || ['tiny', 'resnet-20'].includes(name),
);

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('buildArchitecture', () => {
  it.each(SMALL)(
    '%s: the same weights for the same seed, a graph that is read back, a step of training',
    async (name) => {
      const graph = buildArchitecture(name, { classes: 5, seed: 3 });
      const bytes = writeModel(graph);
      expect(hashOf(writeModel(buildArchitecture(name, { classes: 5, seed: 3 })))).toBe(hashOf(bytes));
      expect(hashOf(writeModel(buildArchitecture(name, { classes: 5, seed: 4 })))).not.toBe(hashOf(bytes));
      const [output] = readModel(bytes).outputs;
      expect(inferShapes(graph).dims(output!.name)).toEqual(['N', 5]);
      const trainer = await Trainer.create(graph, { learningRate: 0.01 });
      const [, ...dims] = graph.inputs[0]!.dims!.map(Number);
      const inputs = new Random(1).normalTensor([2, ...dims]);
      const { loss } = await trainer.step({ inputs, labels: [0, 4] });
      expect(loss).toBeGreaterThan(0);
      // Everything with a number is trained.
      const trained = new Set(trainer.parameters.map((parameter) => parameter.name));
      const rest = [...graph.initializers.keys()].filter((parameter) => !trained.has(parameter));
      expect(rest.every((parameter) => /(mean|variance|ratio)$/.test(parameter))).toBe(true);
      await trainer.close();
    },
    30_000,
  );

  it('keeps the size of signals through the layers, as He initialisation means to', () => {
    const graph = buildArchitecture('alexnet-small', { classes: 5, seed: 1 });
    const tapped = {
      ...graph,
      outputs: ['relu1:out', 'relu5:out'].map((name) => ({
        name,
        type: 'float32' as const,
        dims: undefined,
      })),
    };
    const values = evaluate(tapped, { input: new Random(2).normalTensor([1, 3, 64, 64]) });
    const power = (name: string) => {
      const { data } = values.get(name)!;
      return data.reduce((sum, value) => sum + value * value, 0) / data.length;
    };
    expect(power('relu5:out') / power('relu1:out')).toBeGreaterThan(0.1);
    expect(power('relu5:out') / power('relu1:out')).toBeLessThan(30);
  });

  it('takes another size, and refuses one that is too small, no classes and unknown names', () => {
    const graph = buildArchitecture('tiny', { classes: 2, size: [16, 24] });
    expect(graph.inputs[0]!.dims).toEqual(['N', 3, 16, 24]);
    expect(() => buildArchitecture('vgg-16-small', { classes: 2, size: [16, 16] })).toThrow(
      /too small: pool5/,
    );
    expect(() => buildArchitecture('tiny', { classes: 0 })).toThrow(/at least one score/);
    expect(() => buildArchitecture('vgg16', { classes: 2 })).toThrow(
      /no architecture "vgg16"; did you mean "vgg-16"/,
    );
  });
});
