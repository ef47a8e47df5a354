import {
  type Graph,
  GraphBuilder,
  intAttribute,
  intsAttribute,
  type Node,
  type PlainAttributes,
} from '@unitscope/onnx';

/**
 * A blocked graph with every PhaseInterleave written in standard operators, so that a runtime without operators of our
 * own runs it: phases padded to one size, stacked on a new axis, and taken apart by DepthToSpace's permutation. A mask
 * is not covered.
 */
export function withoutInterleaves(graph: Graph): Graph {
  const builder = new GraphBuilder({ ...graph, nodes: [] });
  for (const node of graph.nodes) {
    if (node.operator === 'PhaseInterleave') emitInterleaved(builder, graph, node);
    else builder.append(node);
  }
  const built = builder.build();
  return { ...built, opsets: new Map([...built.opsets].filter(([domain]) => domain !== 'unitscope')) };
}

function emitInterleaved(builder: GraphBuilder, graph: Graph, node: Node): void {
  if (intAttribute(node, 'masked', 0) !== 0) throw new Error('a masked PhaseInterleave is not covered');
  const present = intsAttribute(node, 'present', []);
  const [sh, sw] = intsAttribute(node, 'strides', []) as [number, number];
  const [height, width] = intsAttribute(node, 'sizes', []) as [number, number];
  const [rows, columns] = [Math.ceil(height / sh), Math.ceil(width / sw)];
  const channels = Number(graph.valueInfo.get(node.inputs[0]!)!.dims![1]);
  // Names of later nodes are not known to the builder.
  const emit = (operator: string, inputs: readonly string[], attributes: PlainAttributes = {}, domain = '') =>
    builder.node(operator, inputs, attributes, { domain, name: `${node.name}/standard/${operator}` });
  const isBlocked = intAttribute(node, 'block', 1) > 1;
  const plain = (value: string) =>
    !isBlocked
      ? value
      : emit('ReorderOutput', [value], { channels, channels_last: 0 }, 'com.microsoft.nchwc');
  const phases = node.inputs.map((value, i) => {
    const [a, b] = [Math.floor(present[i]! / sw), present[i]! % sw];
    const missing = [rows - Math.ceil((height - a) / sh), columns - Math.ceil((width - b) / sw)];
    return emit('Pad', [plain(value), builder.ints([0, 0, 0, 0, 0, 0, ...missing]), builder.floats(0)]);
  });
  const zeros = emit('Mul', [phases[0]!, builder.floats(0)]);
  const all = Array.from({ length: sh * sw }, (_, phase) => phases[present.indexOf(phase)] ?? zeros);
  const stacked = all.map((phase) => emit('Unsqueeze', [phase, builder.ints([1])]));
  const together = emit('Concat', stacked, { axis: 1 });
  const split = emit('Reshape', [together, builder.ints([-1, sh, sw, channels, rows, columns])]);
  const mixed = emit('Transpose', [split], { perm: [0, 3, 4, 1, 5, 2] });
  const whole = emit('Reshape', [mixed, builder.ints([-1, channels, rows * sh, columns * sw])]);
  const bounds = [
    [0, 0],
    [height, width],
    [2, 3],
  ].map((values) => builder.ints(values));
  const cut = emit('Slice', [whole, ...bounds]);
  builder.append({
    ...(isBlocked
      ? { operator: 'ReorderInput', domain: 'com.microsoft.nchwc' }
      : { operator: 'Identity', domain: '' }),
    name: node.name,
    ...{ inputs: [cut], outputs: node.outputs, attributes: new Map() },
  });
}
