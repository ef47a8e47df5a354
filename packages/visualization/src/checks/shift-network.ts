import type { Model } from '@unitscope/model';
import {
  floatAttribute,
  type Graph,
  type Initializer,
  type Node,
  nodeLabel,
  replaceNodes,
} from '@unitscope/onnx';
import { sizeOf, type Tensor, UnitscopeError } from '@unitscope/tensor';

const LINEAR = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'];
/** Operators that are affine in whatever of their inputs carries the picture. */
const AFFINE = [
  'Identity',
  'Dropout',
  'Transpose',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Pad',
  'Slice',
  'Split',
  'Gather',
  'Concat',
  'Add',
  'Sum',
  'Sub',
  'BatchNormalization',
  'AveragePool',
];
/** Affine where one input alone carries the picture. */
const PRODUCTS = ['Mul', 'Div'];
const READS_SIZES = ['Shape', 'Size'];

/**
 * The network f2 for which f2(x + shift) = f(x): the same weights, and the bias of its first layers less what the shift
 * adds to their results, b2 = b1 - W shift (Kindermans et al. 2017, arXiv:1711.00867). Where a layer pads with zeros, or
 * the shift is a picture, that differs from position to position: the layer then gets a bias for every position of its
 * map, as one addition behind it.
 *
 * @param shift [1, C, H, W] in the units of the input
 *
 * Throws `unsupported` for a network in which something that is not affine comes before the first layer with weights.
 */
export async function compensateShift(
  model: Model,
  shift: Tensor,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Graph> {
  const layers = firstLayers(model.graph, model.input.name);
  const zero = shift.data.map(() => 0);
  const batch = concatenated(zero, shift);
  const values = layers.map((layer) => layer.outputs[0]!);
  const responses = await model.activations(values, batch, options);
  const biases = new Map(layers.map((layer, i) => [layer, differenceOf(responses.get(values[i]!)!)]));
  return replaceNodes(model.graph, (node, builder) => {
    const bias = biases.get(node);
    if (bias === undefined) return undefined;
    const flat = node.operator === 'MatMul' ? undefined : perChannel(bias);
    const folded = flat === undefined ? undefined : addedTo(model.graph, node, flat);
    if (folded !== undefined) {
      const name = builder.constant(folded, `${node.inputs[1]}:shifted`);
      return [{ ...node, inputs: [node.inputs[0]!, node.inputs[1]!, name] }];
    }
    const [output = ''] = node.outputs;
    const constant = builder.constant({ type: 'float32', ...bias }, `${output}:shift`);
    const before = builder.freshName(`${output}:unshifted`);
    return [
      { ...node, outputs: [before] },
      {
        name: builder.freshName(`${output}:compensation`),
        operator: 'Add',
        domain: '',
        inputs: [before, constant],
        outputs: [output],
        attributes: new Map(),
      },
    ];
  });
}

/** The layers with weights that the picture reaches through affine operators alone. */
function firstLayers(graph: Graph, input: string): readonly Node[] {
  const carrying = new Set([input]);
  const behind = new Set<string>();
  const layers: Node[] = [];
  const refuse = (node: Node, why: string) =>
    new UnitscopeError(
      'unsupported',
      `no bias makes up for a shift of the input: ${nodeLabel(node)} ${why}`,
      {
        subject: node.name,
      },
    );
  for (const node of graph.nodes) {
    const carried = node.inputs.filter((name) => carrying.has(name));
    const mixed = node.inputs.some((name) => behind.has(name));
    if (carried.length === 0) {
      if (mixed) for (const output of node.outputs) behind.add(output);
      continue;
    }
    if (READS_SIZES.includes(node.operator)) continue;
    if (mixed) throw refuse(node, 'joins the picture with what a layer has made of it');
    if (LINEAR.includes(node.operator) && carried.length === 1 && node.domain === '') {
      layers.push(node);
      for (const output of node.outputs) behind.add(output);
      continue;
    }
    const affine =
      AFFINE.includes(node.operator) ||
      (PRODUCTS.includes(node.operator) &&
        carried.length === 1 &&
        (node.operator === 'Mul' || carried[0] === node.inputs[0]));
    if (!affine || node.domain !== '')
      throw refuse(node, 'comes before the first layer with weights and is not affine');
    for (const output of node.outputs) carrying.add(output);
  }
  if (layers.length > 0) return layers;
  throw new UnitscopeError('unsupported', 'no bias makes up for a shift of the input: no layer has weights');
}

function concatenated(zero: Float32Array, { dims, data }: Tensor): Tensor {
  const joined = new Float32Array(2 * data.length);
  joined.set(zero);
  joined.set(data, data.length);
  return { dims: [2, ...dims.slice(1)], data: joined };
}

/** The first sample less the second, [1, ...]. */
function differenceOf({ dims, data }: Tensor): Tensor {
  const size = data.length / 2;
  const difference = new Float32Array(size);
  for (let i = 0; i < size; i++) difference[i] = data[i]! - data[size + i]!;
  return { dims: [1, ...dims.slice(1)], data: difference };
}

/** Rounding of sums of products; a padded border differs by far more. */
const ROUNDING = 2 ** -18;

/** One value for each channel, where the map of every channel has one value but for rounding. */
function perChannel({ dims, data }: Tensor): Float32Array | undefined {
  const [, channels = 0, ...map] = dims;
  const plane = sizeOf(map);
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const means = new Float32Array(channels);
  for (let c = 0; c < channels; c++) {
    const values = data.subarray(c * plane, (c + 1) * plane);
    const mean = values.reduce((sum, value) => sum + value, 0) / plane;
    if (values.some((value) => Math.abs(value - mean) > ROUNDING * largest)) return undefined;
    means[c] = mean;
  }
  return means;
}

/** The layer's bias with what makes these values more of its result; undefined where the bias is computed. */
function addedTo(graph: Graph, node: Node, values: Float32Array): Omit<Initializer, 'name'> | undefined {
  const [, , bias = ''] = node.inputs;
  const factor = node.operator === 'Gemm' ? floatAttribute(node, 'beta', 1) : 1;
  if (factor === 0) return undefined;
  const old = bias === '' ? new Float32Array(values.length) : graph.initializers.get(bias)?.data;
  if (!(old instanceof Float32Array) || old.length !== values.length) return undefined;
  return {
    type: 'float32',
    dims: [values.length],
    data: values.map((value, c) => value / factor + old[c]!),
  };
}
