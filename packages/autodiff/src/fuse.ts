import { type Graph, indexGraph, intAttribute, type Node, replaceNodes, type Shapes } from '@unitscope/onnx';
import { UNITSCOPE_DOMAIN } from './native-operator.js';
import { type Rectifier, rectifierOf } from './operators/relu-grad.js';
import { splitReluGradAttributes } from './operators/split-relu-grad.js';

/** What a node does besides its own work, by its first output: the names of the nodes it stands for. */
export type Fusions = ReadonlyMap<string, readonly string[]>;

export interface FusedGraph {
  readonly graph: Graph;
  readonly fusions: Fusions;
}

/**
 * Takes the rules of rectifiers into the operators of the domain `unitscope` in front of them, so that a signal is
 * written once: ReluGrad behind MaxPoolGrad, behind GlobalAveragePoolGrad, and behind the Split of a concatenation's
 * signal. Only where nothing else reads the signal between them, and only where the operator reads the rectifier's
 * output already (for the deconvnet's rule, which asks for no output, always).
 *
 * @param before what was fused into the graph's nodes already
 */
export function fuseSignals(graph: Graph, shapes: Shapes, before: Fusions = new Map()): FusedGraph {
  const { maker, consumers } = indexGraph(graph);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const fusions = new Map(before);
  const namesOf = (node: Node) => [...(before.get(node.outputs[0]!) ?? []), node.name];
  const replaced = new Map<Node, readonly Node[]>();
  const order = new Map(graph.nodes.map((node, i) => [node, i]));
  const isPrivate = (value: string) => !outputs.has(value) && consumers(value).length === 1;

  for (const node of graph.nodes) {
    const rectifier = isNative(node) && node.operator === 'ReluGrad' ? rectifierOf(node) : undefined;
    if (rectifier === undefined || replaced.has(node)) continue;
    const [y, dy] = node.inputs as [string, string];
    const made = maker(dy);
    if (made === undefined || !isPrivate(dy)) continue;
    const x = isNative(made) ? RECTIFIED_INPUT[made.operator] : undefined;
    if (x === undefined || made.attributes.has('rule')) continue;
    if (rectifier.rule !== 'deconvnet' && made.inputs[x] !== y) continue;
    replaced.set(made, []);
    replaced.set(node, [withRectifier(made, rectifier, node.outputs)]);
    fusions.set(node.outputs[0]!, namesOf(node));
  }
  for (const node of graph.nodes) {
    if (node.operator !== 'Split' || node.domain !== '') continue;
    const parts = splitMasks(node, shapes, consumers, isPrivate);
    if (parts === undefined || order.get(parts.whole)! > order.get(node)!) continue;
    const masks = parts.masks.filter((mask) => mask !== undefined);
    const outputNames = node.outputs.map((output, part) => parts.masks[part]?.outputs[0] ?? output);
    const attributes = splitReluGradAttributes(
      parts.sizes,
      parts.masks.map((mask) => mask && rectifierOf(mask)),
    );
    const inputs = [node.inputs[0]!, parts.whole.outputs[0]!];
    replaced.set(node, [
      {
        name: node.name,
        operator: 'SplitReluGrad',
        domain: UNITSCOPE_DOMAIN,
        inputs,
        outputs: outputNames,
        attributes,
      },
    ]);
    for (const mask of masks) replaced.set(mask, []);
    fusions.set(outputNames[0]!, masks.flatMap(namesOf));
  }
  return { graph: replaceNodes(graph, (node) => replaced.get(node)), fusions };
}

/** Which input is the output of the rectifier in front of the operator, for those that have its rule. */
const RECTIFIED_INPUT: Readonly<Record<string, number>> = { MaxPoolGrad: 0, GlobalAveragePoolGrad: 1 };

function isNative(node: Node): boolean {
  return node.domain === UNITSCOPE_DOMAIN;
}

/** The operator with a rectifier's rule applied to what it makes. */
export function withRectifier(node: Node, { rule, ceiling }: Rectifier, outputs: readonly string[]): Node {
  const attributes = new Map(node.attributes).set('rule', { kind: 'string', value: rule });
  if (ceiling !== undefined) attributes.set('ceiling', { kind: 'float', value: ceiling });
  return { ...node, attributes, outputs };
}

/**
 * The ReluGrad behind each part of a Split along the channels, where at least one part has one and their outputs stand
 * in one concatenation just as the parts do; its value is then what the parts are masked by.
 */
function splitMasks(
  node: Node,
  shapes: Shapes,
  consumers: (value: string) => readonly Node[],
  isPrivate: (value: string) => boolean,
): { whole: Node; masks: (Node | undefined)[]; sizes: number[] } | undefined {
  if (intAttribute(node, 'axis', 0) !== 1) return undefined;
  const sizes = node.outputs.flatMap((output) => {
    const channels = shapes.dims(output)?.[1];
    return typeof channels === 'number' ? [channels] : [];
  });
  if (sizes.length < node.outputs.length) return undefined;
  const masks = node.outputs.map((output) => {
    const [reader] = consumers(output);
    return isPrivate(output) &&
      reader?.operator === 'ReluGrad' &&
      isNative(reader) &&
      reader.inputs[1] === output
      ? reader
      : undefined;
  });
  const first = masks.findIndex((mask) => mask !== undefined);
  if (first < 0) return undefined;
  const whole = consumers(masks[first]!.inputs[0]!).find(
    (candidate) =>
      candidate.operator === 'Concat' &&
      candidate.domain === '' &&
      intAttribute(candidate, 'axis') === 1 &&
      candidate.inputs.length === masks.length &&
      candidate.inputs.every(
        (input, part) =>
          shapes.dims(input)?.[1] === sizes[part] &&
          (masks[part] === undefined || masks[part].inputs[0] === input || isDeconvnet(masks[part])),
      ),
  );
  return whole === undefined ? undefined : { whole, masks, sizes };
}

function isDeconvnet(node: Node): boolean {
  return rectifierOf(node)?.rule === 'deconvnet';
}
