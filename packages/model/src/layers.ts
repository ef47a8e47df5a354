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
  /** Operators on the longest way from the input, this one included. */
  readonly depth: number;
}

/** The layers of a network in the order they run; arithmetic on shapes and constants is none. */
export function layersOf(graph: Graph, shapes: Shapes, input: string): Layer[] {
  const fields = receptiveFields(graph, shapes, input);
  const depths = new Map([[input, 0]]);
  const layers: Layer[] = [];
  for (const node of graph.nodes) {
    const sources = node.inputs.map((name) => depths.get(name)).filter((depth) => depth !== undefined);
    if (sources.length === 0) continue;
    const [value = ''] = node.outputs;
    if (value === '' || isKnownOtherThanFloat(shapes, value)) continue;
    const depth = Math.max(...sources) + 1;
    for (const output of node.outputs) if (output !== '') depths.set(output, depth);
    layers.push({
      name: node.name === '' ? value : node.name,
      operator: node.domain === '' ? node.operator : `${node.domain}::${node.operator}`,
      value,
      dims: shapes.dims(value),
      receptiveField: fields.get(value),
      depth,
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

/**
 * What `last-conv` stands for: the deepest convolution whose map has more than one position. Not the one that comes
 * last in the file, which may be the shortcut of a residual block.
 */
export const LAST_CONV = 'last-conv';

/**
 * The layer of that name: of the node, of its value, or `last-conv`. Throws `not-found` with a guess at what was meant.
 */
export function findLayer(layers: readonly Layer[], name: string): Layer {
  if (name === LAST_CONV) {
    const maps = layers.filter(({ operator, dims }) => operator === 'Conv' && hasMap(dims));
    const [first, ...others] = maps;
    if (first !== undefined)
      return others.reduce((last, layer) => (layer.depth >= last.depth ? layer : last), first);
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
