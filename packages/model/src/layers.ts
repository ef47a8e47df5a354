import type { Dim, Graph, Shapes } from '@unitscope/onnx';
import { UnitscopeError, unknownName } from '@unitscope/tensor';
import { type ReceptiveField, receptiveFields } from './receptive-field.js';

/** One operator of the network whose result depends on the picture. */
export interface Layer {
  /** The node's name; the name of its first output where the file names it not. */
  readonly name: string;
  readonly operator: string;
  /** The name of the value it makes. */
  readonly value: string;
  /** Its dims, the batch axis as in the file; undefined where not even the rank is known. */
  readonly dims: readonly Dim[] | undefined;
  /** Only for maps ([N, C, H, W]) whose units see a part of the picture. */
  readonly receptiveField: ReceptiveField | undefined;
}

/** The layers of a network in the order they run; arithmetic on shapes and constants is none. */
export function layersOf(graph: Graph, shapes: Shapes, input: string): Layer[] {
  const fields = receptiveFields(graph, shapes, input);
  const fromInput = new Set([input]);
  const layers: Layer[] = [];
  for (const node of graph.nodes) {
    if (!node.inputs.some((name) => fromInput.has(name))) continue;
    const [value = ''] = node.outputs;
    if (value === '' || isKnownOtherThanFloat(shapes, value)) continue;
    for (const output of node.outputs) if (output !== '') fromInput.add(output);
    layers.push({
      name: node.name === '' ? value : node.name,
      operator: node.domain === '' ? node.operator : `${node.domain}::${node.operator}`,
      value,
      dims: shapes.dims(value),
      receptiveField: fields.get(value),
    });
  }
  return layers;
}

function isKnownOtherThanFloat(shapes: Shapes, value: string): boolean {
  try {
    return shapes.type(value) !== 'float32';
  } catch {
    // The type of an operator nothing is known about: shown, so that its name can be seen.
    return false;
  }
}

/** What `last-conv` stands for: the last convolution whose map has more than one position. */
export const LAST_CONV = 'last-conv';

/**
 * The layer of that name: of the node, of its value, or `last-conv`. Throws `not-found` with a guess at what was meant.
 */
export function findLayer(layers: readonly Layer[], name: string): Layer {
  if (name === LAST_CONV) {
    const last = layers.findLast(({ operator, dims }) => operator === 'Conv' && hasMap(dims));
    if (last !== undefined) return last;
    throw new UnitscopeError('not-found', 'the network has no convolution that gives a map; name a layer', {
      subject: LAST_CONV,
      alternatives: layers.map((layer) => layer.name),
    });
  }
  const found = layers.find((layer) => layer.name === name) ?? layers.find((layer) => layer.value === name);
  if (found !== undefined) return found;
  throw unknownName('layer', name, [
    ...new Set([LAST_CONV, ...layers.flatMap((layer) => [layer.name, layer.value])]),
  ]);
}

function hasMap(dims: readonly Dim[] | undefined): boolean {
  return dims?.length === 4 && dims.slice(2).some((size) => size !== 1);
}
