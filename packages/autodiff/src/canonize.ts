import {
  type Constant,
  type Dim,
  floatAttribute,
  type Graph,
  type Initializer,
  indexGraph,
  inferShapes,
  intAttribute,
  type Node,
  pruneGraph,
  tensorAttribute,
  upgradeOpset,
} from '@unitscope/onnx';
import { nativeShapeRules } from './registry.js';
import { dropsNothing } from './rules/identity.js';

/** The operator-set version every rule is written for. */
export const RULE_OPSET = 18;

/**
 * Brings a graph into the form the rules expect, without changing what it computes: operator set 18 or later, no
 * Dropout and Identity, batch normalisation folded into the convolution before it. Values in `keep`, and the graph's
 * outputs, keep their names and their meaning.
 */
export function canonize(graph: Graph, keep: ReadonlySet<string>): Graph {
  const kept = new Set([...keep, ...graph.outputs.map((output) => output.name)]);
  return pruneGraph(foldBatchNormalization(dropPassThrough(upgradeOpset(graph, RULE_OPSET), kept), kept));
}

/** Removes nodes that hand their first input on: Identity, and Dropout that drops nothing. */
function dropPassThrough(graph: Graph, kept: ReadonlySet<string>): Graph {
  const { maker, consumers } = indexGraph(graph);
  const constant = (value: string): Constant | undefined => {
    const node = maker(value);
    return graph.initializers.get(value) ?? (node && tensorAttribute(node, 'value'));
  };
  const passesOn = (node: Node): boolean => {
    if (node.domain !== '' || node.inputs[0] === undefined) return false;
    const [output, mask = ''] = node.outputs;
    if (output === undefined || kept.has(output) || kept.has(mask) || consumers(mask).length > 0)
      return false;
    return (
      node.operator === 'Identity' || (node.operator === 'Dropout' && dropsNothing(node, constant) === true)
    );
  };
  const source = new Map<string, string>();
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.some((input) => source.has(input))
      ? node.inputs.map((input) => source.get(input) ?? input)
      : node.inputs;
    if (passesOn(node)) {
      source.set(node.outputs[0]!, inputs[0]!);
    } else {
      nodes.push(inputs === node.inputs ? node : { ...node, inputs });
    }
  }
  return source.size === 0 ? graph : { ...graph, nodes };
}

/**
 * Conv, then BatchNormalization at inference, as one Conv: W' = W·γ/√(σ²+ε), b' = (b-μ)·γ/√(σ²+ε) + β. The sums of
 * float32 products change in the last place; the backward pass is spared a multiplication over every map.
 */
function foldBatchNormalization(graph: Graph, kept: ReadonlySet<string>): Graph {
  const index = indexGraph(graph);
  const replacedBy = new Map<Node, Node | undefined>();
  const initializers = new Map(graph.initializers);
  for (const norm of graph.nodes) {
    if (norm.operator !== 'BatchNormalization' || norm.domain !== '' || norm.outputs.length > 1) continue;
    if (intAttribute(norm, 'training_mode', 0) !== 0) continue;
    const conv = index.maker(norm.inputs[0]!);
    if (conv === undefined || conv.operator !== 'Conv' || conv.domain !== '') continue;
    const between = conv.outputs[0]!;
    if (kept.has(between) || index.consumers(between).length !== 1) continue;
    const [weight, bias] = [conv.inputs[1]!, conv.inputs[2] ?? ''].map((name) => floats(initializers, name));
    const [gamma, beta, mean, variance] = norm.inputs.slice(1).map((name) => floats(initializers, name));
    if (!weight || !gamma || !beta || !mean || !variance) continue;
    if (bias === undefined && (conv.inputs[2] ?? '') !== '') continue;

    const channels = gamma.data.length;
    const epsilon = floatAttribute(norm, 'epsilon', 1e-5);
    const scale = Float64Array.from(gamma.data, (g, c) => g / Math.sqrt(variance.data[c]! + epsilon));
    const perChannel = weight.data.length / channels;
    const foldedWeight = weight.data.map((w, i) => w * scale[Math.floor(i / perChannel)]!);
    const foldedBias = beta.data.map((b, c) => b + ((bias?.data[c] ?? 0) - mean.data[c]!) * scale[c]!);
    const names = [`${conv.inputs[1]}:folded:${norm.outputs[0]}`, `${norm.outputs[0]}:folded:bias`];
    initializers.set(names[0]!, { name: names[0]!, type: 'float32', dims: weight.dims, data: foldedWeight });
    initializers.set(names[1]!, { name: names[1]!, type: 'float32', dims: [channels], data: foldedBias });
    replacedBy.set(conv, undefined);
    replacedBy.set(norm, {
      ...conv,
      inputs: [conv.inputs[0]!, ...names],
      outputs: [norm.outputs[0]!],
    });
  }
  if (replacedBy.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => {
    if (!replacedBy.has(node)) return [node];
    const replacement = replacedBy.get(node);
    return replacement === undefined ? [] : [replacement];
  });
  return { ...graph, nodes, initializers };
}

function floats(
  initializers: ReadonlyMap<string, Initializer>,
  name: string,
): { dims: readonly number[]; data: Float32Array } | undefined {
  const initializer = initializers.get(name);
  return initializer?.data instanceof Float32Array
    ? { dims: initializer.dims, data: initializer.data }
    : undefined;
}

export interface ScoreOutput {
  /** The class scores before any softmax. */
  readonly logits: string;
  /** The value after the softmax, where the network has one. */
  readonly probability: string | undefined;
}

/**
 * The class scores of a network: what enters the softmax at its end, if there is one, else its output. Looks through
 * operators that only rearrange ([N, K, 1, 1] to [N, K]).
 */
export function findScore(graph: Graph, outputName?: string): ScoreOutput | undefined {
  const { maker } = indexGraph(graph);
  const outputs = outputName === undefined ? graph.outputs.map((output) => output.name) : [outputName];
  const rearranges = new Set(['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Dropout', 'Cast']);
  for (const output of outputs) {
    let value = output;
    for (let node = maker(value); node !== undefined; node = maker(value)) {
      if (node.operator === 'Softmax' || node.operator === 'LogSoftmax') {
        const probability = node.operator === 'Softmax' ? output : undefined;
        return { logits: node.inputs[0]!, probability };
      }
      if (!rearranges.has(node.operator)) break;
      value = node.inputs[0]!;
    }
  }
  const [first] = outputs;
  return first === undefined ? undefined : { logits: first, probability: undefined };
}

/** `inferShapes` with what the caller knows of the inputs, and with the operators of the domain `unitscope`. */
export function inferWithInputs(
  graph: Graph,
  inputDims: Readonly<Record<string, readonly Dim[]>> | undefined,
) {
  return inferShapes(graph, { inputs: inputDims ?? {}, rules: nativeShapeRules });
}
