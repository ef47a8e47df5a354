import { describe, expect, it } from 'vitest';
import {
  emptyGraph,
  type Graph,
  GraphBuilder,
  opsetOf,
  pruneGraph,
  readModel,
  upgradeOpset,
  writeModel,
} from '../src/index.js';
import { feed, float32, oldGraph, runGraph } from './upgrade-runtime.js';

const image = [2, 3, 2, 2];
const perPosition = (offset: number) =>
  float32([3, 2, 2], ...Array.from({ length: 12 }, (_, i) => offset + ((i * 5) % 7) / 7));

function message(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toMatchObject({ name: 'UnitscopeError', code: 'unsupported' });
    return (error as Error).message;
  }
  throw new Error('no error was thrown');
}

describe('upgradeOpset', () => {
  it('gives back graphs of set 18 and later as they are', () => {
    for (const opset of [18, 19, 21]) {
      const graph = oldGraph(opset, image, { operator: 'Relu' });
      expect(upgradeOpset(graph)).toBe(graph);
    }
  });

  it('refuses sets before 7', () => {
    expect(message(() => upgradeOpset(oldGraph(6, image, { operator: 'Relu' })))).toMatch(/operator set 6/);
  });

  it('raises the format version with the operator set', () => {
    expect(upgradeOpset(oldGraph(9, image, { operator: 'Relu' })).irVersion).toBe(8);
  });

  it('writes batch normalization per position as arithmetic', async () => {
    const old = oldGraph(7, image, {
      operator: 'BatchNormalization',
      attributes: { spatial: 0 },
      constants: [perPosition(0.5), perPosition(-0.3), perPosition(0.1), perPosition(0.7)],
    });
    const x = feed(image);
    const [before] = (await runGraph(old, { x })).values();
    const [after] = (await runGraph(upgradeOpset(old), { x })).values();
    expect(after!.dims).toEqual(before!.dims);
    after!.data.forEach((value, index) => {
      expect(Number(value)).toBeCloseTo(Number(before!.data[index]), 5);
    });
  });

  it('keeps the element type of a mask that is used', async () => {
    const old = oldGraph(9, image, { operator: 'Dropout', outputs: 2 });
    const upgraded = upgradeOpset(old);
    const results = await runGraph(upgraded, { x: feed(image) });
    expect(results.get(old.outputs[1]!.name)?.type).toBe('float32');
    expect(results.get(old.outputs[0]!.name)?.data).toEqual([...(feed(image).data as Float32Array)]);
  });

  it('drops a mask of the old type that nobody uses', () => {
    const old = oldGraph(9, image, { operator: 'Dropout', outputs: 2 });
    const upgraded = upgradeOpset({ ...old, outputs: old.outputs.slice(0, 1) });
    expect(upgraded.nodes.map(({ outputs }) => outputs.length)).toEqual([1]);
  });

  it('takes constants in the element type of what they are combined with', async () => {
    const builder = new GraphBuilder({ ...emptyGraph('half', 9), irVersion: 7 });
    const x = builder.input({ name: 'x', type: 'float32', dims: [4] });
    const low = builder.node('Cast', [x], { to: 11 });
    const clipped = builder.node('Clip', [low], { min: { float: -0.5 }, max: { float: 0.5 } });
    const half = builder.node('Cast', [x], { to: 10 });
    const padded = builder.node('Pad', [half], { pads: [1, 1], value: { float: 3 } });
    builder.output({ name: builder.node('Cast', [clipped], { to: 1 }), type: 'float32', dims: undefined });
    builder.output({ name: builder.node('Cast', [padded], { to: 1 }), type: 'float32', dims: undefined });
    const upgraded = upgradeOpset(builder.build());
    const [first, second] = (await runGraph(upgraded, { x: feed([4]) })).values();
    const numbers = Array.from(feed([4]).data as Float32Array);
    expect(first!.data).toEqual(numbers.map((v) => Math.fround(Math.min(0.5, Math.max(-0.5, v)))));
    expect(second!.data.slice(0, 1)).toEqual([3]);
    expect(second!.data).toHaveLength(6);
  });

  it('keeps an open end of a slice when the file says the largest integer', () => {
    const builder = new GraphBuilder({ ...emptyGraph('slice', 9), irVersion: 7 });
    const x = builder.input({ name: 'x', type: 'float32', dims: [5] });
    builder.output({
      name: builder.node('Slice', [x], { starts: [1], ends: [Number.MAX_SAFE_INTEGER] }),
      type: 'float32',
      dims: undefined,
    });
    const graph = builder.build();
    const upgraded = upgradeOpset(readModel(writeModel(graph)));
    const ends = upgraded.initializers.get(upgraded.nodes[0]!.inputs[2]!)!;
    expect(ends.data[0]).toBeGreaterThan(5n);
  });

  it('refuses an old Resize whose scales are computed at run time', () => {
    const builder = new GraphBuilder({ ...emptyGraph('scales', 10), irVersion: 7 });
    const x = builder.input({ name: 'x', type: 'float32', dims: [1, 1, 4, 4] });
    const scales = builder.input({ name: 'scales', type: 'float32', dims: [4] });
    builder.output({
      name: builder.node('Resize', [x, scales], {}, { name: 'grow' }),
      type: 'float32',
      dims: undefined,
    });
    expect(message(() => upgradeOpset(builder.build()))).toMatch(/^grow \(Resize\) .*run time/);
  });

  const refused: [string, Graph, RegExp][] = [
    [
      'training statistics',
      oldGraph(9, image, {
        operator: 'BatchNormalization',
        constants: [1, 2, 3, 4].map((v) => float32([3], v, v, v)),
        outputs: 5,
      }),
      /^layer \(BatchNormalization\).*training/,
    ],
    [
      'withdrawn operators',
      oldGraph(8, image, { operator: 'ImageScaler' }),
      /^layer \(ImageScaler\).*withdrawn/,
    ],
    ['the first Scan', oldGraph(8, image, { operator: 'Scan' }), /^layer \(Scan\).*batched/],
  ];
  it.each(refused)('refuses %s and names the node', (_, graph, expected) => {
    expect(message(() => upgradeOpset(graph))).toMatch(expected);
  });

  it('leaves nothing unused behind', () => {
    const upgraded = upgradeOpset(oldGraph(9, image, { operator: 'Softmax', stated: ['N', 'C', 'H', 'W'] }));
    expect(pruneGraph(upgraded)).toBe(upgraded);
    expect(opsetOf(upgraded)).toBe(18);
  });
});
