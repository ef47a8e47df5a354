import {
  type Constant,
  evaluate,
  floatAttribute,
  type Graph,
  intAttribute,
  intsAttribute,
  type Node,
  type ReferenceTensor,
} from '@unitscope/onnx';
import { sizeOf, stridesOf, type Tensor } from '@unitscope/tensor';

/** How a layer shares relevance out; `route` hands it on as it is, to each of the places a value came from. */
export type SlowRule =
  | { readonly kind: 'epsilon' | 'z-plus'; readonly epsilon: number }
  | { readonly kind: 'gamma'; readonly gamma: number; readonly epsilon: number }
  | { readonly kind: 'route' };

/** Output `to` has `weight` times element `from` of an input. */
interface Edge {
  readonly input: number;
  readonly from: number;
  readonly to: number;
  readonly weight: number;
}

type Values = ReadonlyMap<string, ReferenceTensor>;

/**
 * Relevance at the input by the definition, element by element: every layer as a list of edges, and for each output
 * the terms z_ij = w_ij a_i looked at one by one. Shares nothing with the rules but the graph.
 *
 * @param target the class of each sample; relevance starts as its score
 */
export function slowRelevance(
  graph: Graph,
  input: Tensor,
  target: readonly number[],
  ruleOf: (node: Node) => SlowRule,
): Float64Array {
  const every = graph.nodes.flatMap(({ outputs }) => outputs);
  const values = new Map<string, ReferenceTensor>(evaluate(graph, { input }, { outputs: every }));
  values.set('input', { dims: input.dims, data: Float64Array.from(input.data) });
  for (const [name, { dims, data }] of graph.initializers) {
    values.set(name, { dims, data: Float64Array.from(data as Float32Array, Number) });
  }
  const relevance = new Map<string, Float64Array>();
  const at = (value: string) => {
    const known = relevance.get(value) ?? new Float64Array(sizeOf(values.get(value)!.dims));
    relevance.set(value, known);
    return known;
  };
  const scores = graph.outputs[0]!.name;
  const classes = values.get(scores)!.dims[1]!;
  target.forEach((index, n) => {
    at(scores)[n * classes + index] = values.get(scores)!.data[n * classes + index]!;
  });
  for (const node of graph.nodes.toReversed()) {
    const { edges, bias } = describe(node, values);
    const received = at(node.outputs[0]!);
    const grouped = new Map<number, Edge[]>();
    for (const edge of edges) grouped.set(edge.to, [...(grouped.get(edge.to) ?? []), edge]);
    for (const [to, incoming] of grouped) {
      const terms = incoming.map(
        ({ input: i, from, weight }) => weight * values.get(node.inputs[i]!)!.data[from]!,
      );
      share(ruleOf(node), terms, bias(to)).forEach((part, i) => {
        const { input: from, from: element } = incoming[i]!;
        at(node.inputs[from]!)[element]! += part * received[to]!;
      });
    }
  }
  return at('input');
}

/** The part of one output's relevance that each of its terms gets. */
function share(rule: SlowRule, terms: readonly number[], bias: number): readonly number[] {
  const total = (list: readonly number[]) => list.reduce((sum, term) => sum + term, 0);
  switch (rule.kind) {
    case 'route':
      return terms.map(() => 1);
    case 'z-plus': {
      const positive = terms.map((term) => Math.max(0, term));
      const z = total(positive) + rule.epsilon;
      return positive.map((term) => term / z);
    }
    case 'epsilon':
    case 'gamma': {
      const gamma = rule.kind === 'gamma' ? rule.gamma : 0;
      const favoured = (term: number) => term + gamma * Math.max(0, term);
      const z = total(terms.map(favoured)) + favoured(bias);
      return terms.map((term) => favoured(term) / (z + (z < 0 ? -rule.epsilon : rule.epsilon)));
    }
  }
}

interface Described {
  readonly edges: readonly Edge[];
  readonly bias: (to: number) => number;
}

function describe(node: Node, values: Values): Described {
  const none = () => 0;
  const output = values.get(node.outputs[0]!)!;
  const size = sizeOf(output.dims);
  const same = (input: number): Edge[] =>
    Array.from({ length: size }, (_, i) => ({ input, from: i, to: i, weight: 1 }));
  switch (node.operator) {
    case 'Conv':
      return convolution(node, values);
    case 'Gemm':
    case 'MatMul':
      return matrix(node, values);
    case 'Add':
      // A constant is a bias.
      return values.get(node.inputs[1]!)!.dims.length === output.dims.length
        ? { edges: [...same(0), ...same(1)], bias: none }
        : { edges: same(0), bias: (to) => broadcast(values.get(node.inputs[1]!)!, output, to) };
    case 'BatchNormalization': {
      const [gamma, beta, mean, variance] = node.inputs.slice(1).map((name) => values.get(name)!.data);
      const plane = sizeOf(output.dims.slice(2));
      const channel = (i: number) => Math.floor(i / plane) % output.dims[1]!;
      const slope = (i: number) => gamma![channel(i)]! / Math.sqrt(variance![channel(i)]! + 1e-5);
      return {
        edges: same(0).map((edge) => ({ ...edge, weight: slope(edge.to) })),
        bias: (to) => beta![channel(to)]! - mean![channel(to)]! * slope(to),
      };
    }
    case 'MaxPool':
    case 'AveragePool':
    case 'GlobalAveragePool':
      return { edges: pool(node, values), bias: none };
    case 'Concat':
      return { edges: concatenation(node, values), bias: none };
    case 'Mul':
      return { edges: same(0), bias: none };
    case 'Relu':
    case 'Sigmoid':
    case 'Flatten':
      return { edges: same(0), bias: none };
    default:
      throw new Error(`the slow reference does not know ${node.operator}`);
  }
}

function broadcast(
  { dims, data }: Pick<Constant, 'dims'> & ReferenceTensor,
  output: ReferenceTensor,
  to: number,
) {
  const extra = output.dims.length - dims.length;
  const [strides, own] = [stridesOf(output.dims), stridesOf(dims)];
  let index = 0;
  for (const [axis, size] of dims.entries()) {
    const position = Math.floor(to / strides[axis + extra]!) % output.dims[axis + extra]!;
    if (size > 1) index += position * own[axis]!;
  }
  return data[index]!;
}

function convolution(node: Node, values: Values): Described {
  const [x, w] = [values.get(node.inputs[0]!)!, values.get(node.inputs[1]!)!];
  const bias = values.get(node.inputs[2] ?? '')?.data;
  const { dims } = values.get(node.outputs[0]!)!;
  const [batch, outputs, height, width] = dims as [number, number, number, number];
  const [, perGroup, rows, columns] = w.dims as [number, number, number, number];
  const [, channels, inHeight, inWidth] = x.dims as [number, number, number, number];
  const groups = intAttribute(node, 'group', 1);
  const strides = intsAttribute(node, 'strides', [1, 1]);
  const dilations = intsAttribute(node, 'dilations', [1, 1]);
  const pads = intsAttribute(node, 'pads', [0, 0, 0, 0]);
  const edges: Edge[] = [];
  for (let n = 0; n < batch; n++)
    for (let m = 0; m < outputs; m++)
      for (let oy = 0; oy < height; oy++)
        for (let ox = 0; ox < width; ox++)
          for (let c = 0; c < perGroup; c++)
            for (let ky = 0; ky < rows; ky++)
              for (let kx = 0; kx < columns; kx++) {
                const y = oy * strides[0]! + ky * dilations[0]! - pads[0]!;
                const xx = ox * strides[1]! + kx * dilations[1]! - pads[1]!;
                if (y < 0 || xx < 0 || y >= inHeight || xx >= inWidth) continue;
                const channel = Math.floor(m / (outputs / groups)) * perGroup + c;
                edges.push({
                  input: 0,
                  from: ((n * channels + channel) * inHeight + y) * inWidth + xx,
                  to: ((n * outputs + m) * height + oy) * width + ox,
                  weight: w.data[((m * perGroup + c) * rows + ky) * columns + kx]!,
                });
              }
  return { edges, bias: (to) => bias?.[Math.floor(to / (height * width)) % outputs] ?? 0 };
}

function matrix(node: Node, values: Values): Described {
  const [x, w] = [values.get(node.inputs[0]!)!, values.get(node.inputs[1]!)!];
  const bias = values.get(node.inputs[2] ?? '')?.data;
  const transposed = node.operator === 'Gemm' && intAttribute(node, 'transB', 0) === 1;
  const [alpha, beta] = [floatAttribute(node, 'alpha', 1), floatAttribute(node, 'beta', 1)];
  const [batch, inputs] = x.dims as [number, number];
  const outputs = w.dims[transposed ? 0 : 1]!;
  const edges: Edge[] = [];
  for (let n = 0; n < batch; n++)
    for (let j = 0; j < outputs; j++)
      for (let i = 0; i < inputs; i++) {
        const weight = alpha * w.data[transposed ? j * inputs + i : i * outputs + j]!;
        edges.push({ input: 0, from: n * inputs + i, to: n * outputs + j, weight });
      }
  return { edges, bias: (to) => beta * (bias?.[to % outputs] ?? 0) };
}

/** Pools over whole windows inside the input or its padding, which does not count. */
function pool(node: Node, values: Values): readonly Edge[] {
  const x = values.get(node.inputs[0]!)!;
  const { dims } = values.get(node.outputs[0]!)!;
  const [, , inHeight, inWidth] = x.dims as [number, number, number, number];
  const [batch, channels, height, width] = dims as [number, number, number, number];
  const isGlobal = node.operator === 'GlobalAveragePool';
  const kernel = isGlobal ? [inHeight, inWidth] : intsAttribute(node, 'kernel_shape', []);
  const strides = intsAttribute(node, 'strides', [1, 1]);
  const pads = intsAttribute(node, 'pads', [0, 0, 0, 0]);
  const edges: Edge[] = [];
  for (let plane = 0; plane < batch * channels; plane++)
    for (let oy = 0; oy < height; oy++)
      for (let ox = 0; ox < width; ox++) {
        const cells: number[] = [];
        for (let ky = 0; ky < kernel[0]!; ky++)
          for (let kx = 0; kx < kernel[1]!; kx++) {
            const y = oy * strides[0]! + ky - pads[0]!;
            const xx = ox * strides[1]! + kx - pads[1]!;
            if (y >= 0 && xx >= 0 && y < inHeight && xx < inWidth)
              cells.push((plane * inHeight + y) * inWidth + xx);
          }
        const to = (plane * height + oy) * width + ox;
        if (node.operator === 'MaxPool') {
          const first = cells.reduce((best, cell) => (x.data[cell]! > x.data[best]! ? cell : best));
          edges.push({ input: 0, from: first, to, weight: 1 });
        } else {
          edges.push(...cells.map((from) => ({ input: 0, from, to, weight: 1 / cells.length })));
        }
      }
  return edges;
}

/** Along the channels. */
function concatenation(node: Node, values: Values): readonly Edge[] {
  const { dims } = values.get(node.outputs[0]!)!;
  const plane = sizeOf(dims.slice(2));
  const edges: Edge[] = [];
  let before = 0;
  for (const [input, name] of node.inputs.entries()) {
    const own = values.get(name)!.dims[1]! * plane;
    for (let n = 0; n < dims[0]!; n++)
      for (let i = 0; i < own; i++)
        edges.push({ input, from: n * own + i, to: n * dims[1]! * plane + before + i, weight: 1 });
    before += own;
  }
  return edges;
}
