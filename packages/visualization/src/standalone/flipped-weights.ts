import {
  type Graph,
  type Initializer,
  intAttribute,
  type Node,
  pruneGraph,
  replaceNodes,
} from '@unitscope/onnx';

/**
 * The graph without the weights of backward convolutions that are those of forward convolutions with input and output
 * channels exchanged within each group and every axis of the kernel reversed: nodes make them of the first, which a
 * runtime runs once as it loads the file. So a file holds every weight once.
 */
export function deriveFlippedWeights(graph: Graph): Graph {
  const byDims = new Map<string, Initializer[]>();
  const order = new Map([...graph.initializers.values()].map((initializer, i) => [initializer, i]));
  for (const initializer of graph.initializers.values()) {
    if (initializer.type !== 'float32' || initializer.dims.length < 3) continue;
    const key = initializer.dims.join('x');
    byDims.set(key, [...(byDims.get(key) ?? []), initializer]);
  }
  const derived = new Map<string, string>();
  const rewritten = replaceNodes(graph, (node, builder) => {
    const flip = flipOf(node, graph, byDims, (a, b) => order.get(a)! < order.get(b)!);
    if (flip === undefined) return undefined;
    const { flipped, source, groups } = flip;
    let value = derived.get(flipped.name);
    if (value === undefined) {
      const [outputs = 0, inputs = 0, ...kernel] = source.dims;
      const taps = kernel.reduce((product, size) => product * size, 1);
      const grouped = builder.node('Reshape', [
        source.name,
        builder.ints([groups, outputs / groups, inputs, taps]),
      ]);
      const exchanged = builder.node('Transpose', [grouped], { perm: [0, 2, 1, 3] });
      // The end before the first tap; -1 would be the last one.
      const [start, end, axis, step] = [[-1], [-taps - 1], [3], [-1]].map((list) => builder.ints(list));
      const reversed = builder.node('Slice', [exchanged, start!, end!, axis!, step!]);
      value = builder.node('Reshape', [reversed, builder.ints(flipped.dims)]);
      derived.set(flipped.name, value);
    }
    return [{ ...node, inputs: [node.inputs[0]!, value, ...node.inputs.slice(2)] }];
  });
  return rewritten === graph ? graph : pruneGraph(rewritten);
}

interface Flip {
  readonly flipped: Initializer;
  readonly source: Initializer;
  readonly groups: number;
}

/** The weights of a convolution that are others flipped, and those; the first of two that are each other's flip stays. */
function flipOf(
  node: Node,
  graph: Graph,
  byDims: ReadonlyMap<string, readonly Initializer[]>,
  isBefore: (a: Initializer, b: Initializer) => boolean,
): Flip | undefined {
  const flipped = graph.initializers.get(node.inputs[1] ?? '');
  if (node.operator !== 'Conv' || flipped?.type !== 'float32') return undefined;
  const groups = intAttribute(node, 'group', 1);
  const [outputs = 0, inputs = 0, ...kernel] = flipped.dims;
  for (const source of byDims.get([inputs * groups, outputs / groups, ...kernel].join('x')) ?? []) {
    if (isBefore(source, flipped) && isFlip(flipped, source, groups)) return { flipped, source, groups };
  }
  return undefined;
}

function isFlip(flipped: Initializer, source: Initializer, groups: number): boolean {
  const [outputs = 0, inputs = 0, ...kernel] = source.dims;
  const taps = kernel.reduce((product, size) => product * size, 1);
  const perGroup = outputs / groups;
  const [actual, expected] = [flipped.data, source.data];
  let at = 0;
  for (let group = 0; group < groups; group++) {
    for (let input = 0; input < inputs; input++) {
      for (let output = 0; output < perGroup; output++) {
        const last = ((group * perGroup + output) * inputs + input) * taps + taps - 1;
        for (let tap = 0; tap < taps; tap++) {
          if (!Object.is(actual[at++], expected[last - tap])) return false;
        }
      }
    }
  }
  return true;
}
