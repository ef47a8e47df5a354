import { emptyGraph, type Graph, GraphBuilder, type PlainAttributes } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { blockFilter, mergeGroups } from '../src/blocked/filters.js';
import { blockGraph, compile, gradient, lower } from '../src/index.js';

const NCHWC = 'com.microsoft.nchwc';

class Network {
  readonly #random = new Random(4);
  readonly builder = new GraphBuilder(emptyGraph('case', 18));

  input(channels: number, name = 'input', size = 6): string {
    return this.builder.input({ name, type: 'float32', dims: ['N', channels, size, size] });
  }

  weights(dims: readonly number[]): string {
    return this.builder.constant({
      type: 'float32',
      dims,
      data: this.#random.normalTensor(dims, 0, 0.3).data,
    });
  }

  conv(x: string, dims: readonly number[], attributes: PlainAttributes = {}, name = 'conv'): string {
    return this.builder.node('Conv', [x, this.weights(dims)], attributes, { name });
  }

  add(operator: string, inputs: readonly string[], attributes: PlainAttributes = {}, name?: string): string {
    return this.builder.node(operator, inputs, attributes, name === undefined ? {} : { name });
  }

  graph(...outputs: readonly string[]): Graph {
    for (const name of outputs) this.builder.output({ name, type: 'float32', dims: undefined });
    return this.builder.build();
  }
}

/** The operators of the blocked graph in order, `b:` before those of the runtime's blocked layout. */
function forms(graph: Graph, block: 8 | 16 = 8): string[] {
  return blockGraph(graph, { block }).graph.nodes.map(({ operator, domain }) =>
    domain === NCHWC ? `b:${operator}` : operator,
  );
}

describe('what is blocked', () => {
  it('is nothing around a lone elementwise operator', () => {
    const net = new Network();
    const [x, y] = [net.input(8), net.input(8, 'other')];
    expect(forms(net.graph(net.add('Relu', [net.add('Mul', [x, y])])))).toEqual(['Mul', 'Relu']);
  });

  it('is what a convolution makes, until something else reads it', () => {
    const net = new Network();
    const first = net.conv(net.input(3), [16, 3, 3, 3]);
    const pooled = net.add('MaxPool', [net.add('Neg', [first])], { kernel_shape: [2, 2] });
    const softmax = net.add('Softmax', [net.conv(pooled, [8, 16, 1, 1])], { axis: 1 });
    expect(forms(net.graph(softmax))).toEqual([
      ...['b:Conv', 'Neg', 'b:MaxPool', 'b:Conv', 'b:ReorderOutput', 'Softmax'],
    ]);
  });

  it('is reordered once for all that read it, each way', () => {
    const net = new Network();
    const x = net.input(16);
    const values = [net.conv(x, [8, 16, 1, 1]), net.conv(x, [8, 16, 3, 3], { pads: [1, 1, 1, 1] })];
    const sum = net.add('Softmax', [values[0]!], { axis: 2 });
    const other = net.add('Softmax', [values[0]!], { axis: 3 });
    const found = forms(net.graph(sum, other, values[1]!));
    expect(found.filter((form) => form === 'b:ReorderInput')).toHaveLength(1);
    expect(found.filter((form) => form === 'b:ReorderOutput')).toHaveLength(2);
  });

  it('keeps names, dims and order of what the graph gives out, and the nodes their names', () => {
    const net = new Network();
    const x = net.input(3);
    const conv = net.conv(x, [12, 3, 3, 3], {}, 'stem');
    const relu = net.add('Relu', [conv]);
    const graph = net.graph(relu, conv);
    const { graph: blocked, placement } = blockGraph(graph, { block: 8 });
    expect(blocked.inputs).toEqual(graph.inputs);
    expect(blocked.outputs).toEqual(graph.outputs);
    expect(placement.map(({ node }) => node)).toEqual([
      ...['stem', 'Relu', `${relu}/ReorderOutput`, `${conv}/ReorderOutput`],
    ]);
    const [, , reorder] = blocked.nodes;
    expect(reorder!.attributes.get('channels')).toEqual({ kind: 'int', value: 12 });
    expect(blocked.valueInfo.get(`${conv}:blocked`)!.dims).toEqual(['N', 16, 4, 4]);
  });

  it('is no operator that may make numbers out of channels nobody reads infinite', () => {
    for (const [channels, operators] of [
      [12, ['b:Conv', 'b:ReorderOutput', 'Log']],
      [16, ['b:Conv', 'Log', 'b:ReorderOutput']],
    ] as const) {
      const net = new Network();
      const conv = net.conv(net.input(3), [channels, 3, 1, 1]);
      expect(forms(net.graph(net.add('Log', [conv])))).toEqual(operators);
    }
  });

  it('is one value in both layouts where a map is one pixel of whole blocks', () => {
    const net = new Network();
    const mean = net.add('GlobalAveragePool', [net.conv(net.input(3), [16, 3, 3, 3])]);
    expect(forms(net.graph(net.add('Flatten', [mean])))).toEqual([
      'b:Conv',
      'b:GlobalAveragePool',
      'Flatten',
    ]);
    const cut = new Network();
    const part = cut.add('GlobalAveragePool', [cut.conv(cut.input(3), [12, 3, 3, 3])]);
    expect(forms(cut.graph(cut.add('Flatten', [part])))).toContain('b:ReorderOutput');
  });

  it('is not a graph with subgraphs, which read values no node lists', () => {
    const net = new Network();
    const conv = net.conv(net.input(3), [16, 3, 3, 3]);
    const graph = net.graph(conv);
    const branch = { kind: 'other', value: {} } as const;
    const node = { name: 'if', operator: 'If', domain: '', inputs: [conv], outputs: ['chosen'] };
    const nodes = [...graph.nodes, { ...node, attributes: new Map([['then_branch', branch]]) }];
    expect(forms({ ...graph, nodes })).toEqual(['Conv', 'If']);
  });

  it('is called by its first output where the file gives a node no name', () => {
    const net = new Network();
    const conv = net.conv(net.input(3), [8, 3, 1, 1]);
    const graph = net.graph(conv);
    const nodes = graph.nodes.map((node) => ({ ...node, name: '' }));
    const { placement } = lower({ ...graph, nodes }, { kind: 'blocked', block: 8 });
    expect(placement[0]).toEqual({ node: conv, operator: `${NCHWC}::Conv`, layout: 'blocked' });
  });

  it('needs a block of 8 or 16', () => {
    const net = new Network();
    const graph = net.graph(net.conv(net.input(3), [8, 3, 1, 1]));
    const block = 4 as 8;
    expect(() => blockGraph(graph, { block })).toThrow('a block has 8 or 16 channels, not 4');
  });
});

describe('what goes into a convolution', () => {
  it('is the sum at a residual connection, then its activation', () => {
    const net = new Network();
    const x = net.conv(net.input(3), [8, 3, 1, 1]);
    const branch = net.conv(x, [8, 8, 3, 3], { pads: [1, 1, 1, 1] }, 'branch');
    const relu = net.add('Relu', [net.add('Add', [branch, x], {}, 'join')], {}, 'last');
    const { graph, placement } = blockGraph(net.graph(relu), { block: 8 });
    const conv = graph.nodes.find(({ name }) => name === 'branch')!;
    expect(conv.inputs[3]).toBe(`${x}:blocked`);
    expect(conv.attributes.get('activation')).toEqual({ kind: 'string', value: 'Relu' });
    expect(placement.find(({ node }) => node === 'branch')!.fused).toBe('join, last');
  });

  it('is the sum of two convolutions in the later of them', () => {
    const net = new Network();
    const x = net.input(8);
    const [a, b] = [net.conv(x, [8, 8, 1, 1], {}, 'a'), net.conv(x, [8, 8, 1, 1], {}, 'b')];
    const { graph } = blockGraph(net.graph(net.add('Add', [a, b])), { block: 8 });
    const found = graph.nodes.filter(({ operator }) => operator === 'Conv');
    expect(found.map(({ name, inputs }) => [name, inputs[3]])).toEqual([
      ['a', undefined],
      ['b', `${a}:blocked`],
    ]);
  });

  it('is no sum behind an activation', () => {
    const net = new Network();
    const x = net.input(8);
    const relu = net.add('Relu', [net.conv(x, [8, 8, 1, 1], {}, 'a')]);
    const other = net.add('Sigmoid', [net.conv(x, [8, 8, 1, 1], {}, 'b')]);
    expect(forms(net.graph(net.add('Add', [relu, other])))).toEqual([
      ...['b:ReorderInput', 'b:Conv', 'b:Conv', 'Add', 'b:ReorderOutput'],
    ]);
  });

  it('is nothing that is read twice or given out', () => {
    const net = new Network();
    const conv = net.conv(net.input(3), [8, 3, 1, 1]);
    const twice = net.add('Add', [conv, conv]);
    expect(forms(net.graph(twice))).toEqual(['b:Conv', 'Add', 'b:ReorderOutput']);
    const given = new Network();
    const out = given.conv(given.input(3), [8, 3, 1, 1]);
    expect(forms(given.graph(given.add('Relu', [out]), out))).toContain('Relu');
  });

  it('are the bounds of a Clip and the parameters of an activation', () => {
    const net = new Network();
    const x = net.input(3);
    const { builder } = net;
    const clipped = net.add('Clip', [net.conv(x, [8, 3, 1, 1]), builder.floats(0), builder.floats(6)]);
    const hard = net.add('HardSigmoid', [net.conv(clipped, [8, 8, 1, 1])], {
      alpha: { float: 0.25 },
      beta: { float: 0.5 },
    });
    const { graph } = blockGraph(net.graph(hard), { block: 8 });
    expect(graph.nodes.slice(0, 2).map(({ attributes }) => attributes.get('activation_params'))).toEqual([
      { kind: 'floats', value: [0, 6] },
      { kind: 'floats', value: [0.25, 0.5] },
    ]);
  });
});

describe('a strided input gradient', () => {
  const gradientForms = (net: Network, out: string, wrt: string) => {
    const flat = net.add('Flatten', [net.add('GlobalAveragePool', [out])]);
    const { graph } = compile(net.graph(flat), {
      objective: { kind: 'class', value: flat },
      wrt: [wrt],
      composite: gradient,
      lowering: { kind: 'blocked', block: 8 },
    });
    return graph.nodes;
  };

  it('is a convolution per phase, the rectifier in front of it in the interleaving', () => {
    const net = new Network();
    const x = net.input(8);
    const relu = net.add('Relu', [net.conv(x, [8, 8, 1, 1])]);
    const out = net.conv(relu, [16, 8, 3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }, 'down');
    const nodes = gradientForms(net, out, x);
    const phases = nodes.filter(({ name }) => name.includes('/phase_'));
    expect(phases.map(({ attributes }) => attributes.get('kernel_shape'))).toEqual(
      [
        [1, 1],
        [1, 2],
        [2, 1],
        [2, 2],
      ].map((value) => ({ kind: 'ints', value })),
    );
    const interleave = nodes.find(({ operator }) => operator === 'PhaseInterleave')!;
    expect(interleave.inputs).toHaveLength(5);
    expect(interleave.attributes.get('rule')).toEqual({ kind: 'string', value: 'gradient' });
    expect(nodes.some(({ operator }) => operator === 'ReluGrad' || operator === 'ConvTranspose')).toBe(false);
  });

  it('leaves phases out that no weight reaches, and adds up phase by phase', () => {
    const net = new Network();
    const x = net.conv(net.input(8), [8, 8, 1, 1], {}, 'start');
    const main = net.conv(x, [16, 8, 3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }, 'main');
    const short = net.conv(x, [16, 8, 1, 1], { strides: [2, 2] }, 'short');
    const nodes = gradientForms(net, net.add('Add', [main, short]), 'input');
    const interleaves = nodes.filter(({ operator }) => operator === 'PhaseInterleave');
    expect(interleaves).toHaveLength(1);
    expect(interleaves[0]!.attributes.get('present')).toEqual({ kind: 'ints', value: [0, 1, 2, 3] });
    const accumulating = nodes.filter(({ inputs, domain }) => domain === NCHWC && inputs.length === 4);
    expect(accumulating.filter(({ name }) => name.endsWith('phase_0'))).toHaveLength(1);
  });

  it('makes all phases of a few channels in one convolution, and cuts odd sizes', () => {
    for (const [size, operators] of [
      [8, ['ReorderOutput', 'Split', 'PhaseInterleave']],
      [7, ['ReorderOutput', 'Slice', 'Slice', 'Slice', 'Slice', 'PhaseInterleave']],
    ] as const) {
      const net = new Network();
      const x = net.input(3, 'input', size);
      const out = net.conv(x, [16, 3, 3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] });
      const nodes = gradientForms(net, out, x);
      expect(nodes.slice(-operators.length).map(({ operator }) => operator)).toEqual(operators);
      expect(nodes.filter(({ name }) => name.endsWith('/phases'))).toHaveLength(1);
    }
  });
});

describe('filters', () => {
  const filter = { dims: [2, 3, 1, 1], data: Float32Array.of(1, 2, 3, 4, 5, 6) } as const;

  it('have the outputs of a block innermost, then its inputs', () => {
    const paired = blockFilter(filter, 4, true);
    expect(paired.dims).toEqual([4, 4, 1, 1]);
    expect([...paired.data]).toEqual([1, 4, 0, 0, 2, 5, 0, 0, 3, 6, 0, 0, 0, 0, 0, 0]);
    const direct = blockFilter(filter, 4, false);
    expect(direct.dims).toEqual([4, 3, 1, 1]);
    expect([...direct.data]).toEqual([1, 4, 0, 0, 2, 5, 0, 0, 3, 6, 0, 0]);
  });

  it('of merged groups have zeros between the groups', () => {
    const merged = mergeGroups({ dims: [4, 1, 1, 1], data: Float32Array.of(1, 2, 3, 4) }, 4, 2);
    expect(merged.dims).toEqual([4, 2, 1, 1]);
    expect([...merged.data]).toEqual([1, 0, 0, 2, 3, 0, 0, 4]);
  });
});
