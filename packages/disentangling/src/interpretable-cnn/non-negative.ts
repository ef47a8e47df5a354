import {
  type Constant,
  floatAttribute,
  type Graph,
  indexGraph,
  type Node,
  tensorAttribute,
} from '@unitscope/onnx';

/** Operators whose results are never negative. */
const ALWAYS: ReadonlySet<string> = new Set(
  'Relu Sigmoid HardSigmoid Softplus Softmax Abs Exp Sqrt ReduceL1 ReduceL2 ReduceSumSquare'.split(' '),
);

/** Operators whose results are not negative where nothing they read is. */
const OF_SUCH: ReadonlySet<string> = new Set(
  `MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool Concat Add Sum Mean Mul Max Min Identity Dropout LRN
  Reshape Flatten Squeeze Unsqueeze Transpose Expand Slice Gather Pad DepthToSpace SpaceToDepth`.split(/\s+/),
);

/** The values of a graph that, as far as their operators tell, are never negative. */
export function nonNegativeValues(graph: Graph): ReadonlySet<string> {
  const { maker } = indexGraph(graph);
  const constant = (value: string): Constant | undefined => {
    const made = maker(value);
    return graph.initializers.get(value) ?? (made && tensorAttribute(made, 'value'));
  };
  const known = new Set<string>();
  const isKnown = (value: string): boolean => {
    if (known.has(value)) return true;
    const data = constant(value)?.data;
    return data !== undefined && Array.from<number | bigint>(data).every((each) => each >= 0);
  };
  for (const node of graph.nodes) {
    if (node.domain !== '' || !isNonNegative(node, constant, isKnown)) continue;
    const [output = ''] = node.outputs;
    if (output !== '') known.add(output);
  }
  return known;
}

function isNonNegative(
  node: Node,
  constant: (value: string) => Constant | undefined,
  isKnown: (value: string) => boolean,
): boolean {
  const [first = '', second = ''] = node.inputs;
  if (ALWAYS.has(node.operator)) return true;
  switch (node.operator) {
    case 'Clip': {
      const least = second === '' ? undefined : constant(second)?.data[0];
      return isKnown(first) || Number(least ?? floatAttribute(node, 'min', Number.NEGATIVE_INFINITY)) >= 0;
    }
    case 'ThresholdedRelu':
      return floatAttribute(node, 'alpha', 1) >= 0;
    case 'Max':
      return node.inputs.some(isKnown);
    case 'Reshape':
    case 'Squeeze':
    case 'Unsqueeze':
    case 'Expand':
    case 'Slice':
    case 'Gather':
    case 'Dropout':
      return isKnown(first);
    case 'Pad':
      return isKnown(first) && (node.inputs[2] ?? '') === '' && floatAttribute(node, 'value', 0) >= 0;
    default:
      return OF_SUCH.has(node.operator) && node.inputs.every((input) => input === '' || isKnown(input));
  }
}
