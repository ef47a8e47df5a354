import { cutGraph, type Graph, indexGraph, type Node } from '@unitscope/onnx';

/** The inputs of each operator that are its parameters. */
const PARAMETER_INPUTS: ReadonlyMap<string, readonly number[]> = new Map([
  ['Conv', [1, 2]],
  ['ConvTranspose', [1, 2]],
  ['Gemm', [0, 1, 2]],
  ['MatMul', [0, 1]],
  ['BatchNormalization', [1, 2]],
  ['InstanceNormalization', [1, 2]],
  ['LayerNormalization', [1, 2]],
  ['PRelu', [1]],
]);

/** Operators after which an addition or product with an initializer is a bias or scale, and not a preprocessing. */
const LAYERS: ReadonlySet<string> = new Set([...PARAMETER_INPUTS.keys()]);

/**
 * The initializers of a network that training changes by default, in the order they are used: float32 weights, biases
 * and scales of the layers `value` depends on, the summands and factors of several elements after such a layer included.
 * Not: statistics, constants of preprocessing, slopes and shapes.
 */
export function trainableParameters(graph: Graph, value: string): string[] {
  const needed = cutGraph(graph, { outputs: [value] });
  const { maker } = indexGraph(needed);
  const found = new Set<string>();
  for (const node of needed.nodes) {
    for (const input of parameterInputs(node, needed, maker)) {
      const name = node.inputs[input] ?? '';
      if (needed.initializers.get(name)?.type === 'float32') found.add(name);
    }
  }
  return [...found];
}

function parameterInputs(
  { domain, operator, inputs }: Node,
  { initializers }: Graph,
  maker: (name: string) => Node | undefined,
): readonly number[] {
  if (domain !== '') return [];
  const listed = PARAMETER_INPUTS.get(operator);
  if (listed !== undefined) return listed;
  if (operator !== 'Add' && operator !== 'Mul') return [];
  return [0, 1].filter((input) => {
    const made = maker(inputs[1 - input]!);
    const size = initializers.get(inputs[input]!)?.data.length ?? 0;
    return made !== undefined && LAYERS.has(made.operator) && size > 1;
  });
}
