import { type Graph, type Node, nodeLabel, type Shapes } from '@unitscope/onnx';
import { UnitscopeError, unknownName } from '@unitscope/tensor';
import type { Composite } from './composite.js';

/** Throws `not-found` for a name that is no value of the graph. */
export function requireValues(graph: Graph, names: readonly string[]): void {
  const known = new Set<string>([...graph.inputs.map((input) => input.name), ...graph.initializers.keys()]);
  for (const node of graph.nodes) for (const output of node.outputs) known.add(output);
  for (const name of names) if (!known.has(name)) throw unknownName('value', name, [...known]);
}

/** Throws `unsupported` for a value of another element type. */
export function requireFloat32(shapes: Shapes, values: readonly string[]): void {
  for (const value of values) {
    const type = shapes.type(value);
    if (type !== 'float32') {
      throw new UnitscopeError(
        'unsupported',
        `${value} is ${type}; only float32 networks can be differentiated`,
        {
          subject: value,
        },
      );
    }
  }
}

/** Every float value that depends on one of `wrt`. Indices and shapes carry no signal, so the search stops at them. */
export function activeValues(graph: Graph, shapes: Shapes, wrt: readonly string[]): Set<string> {
  const active = new Set(wrt);
  for (const node of graph.nodes) {
    if (!node.inputs.some((input) => active.has(input))) continue;
    if (CARRIES_NO_SIGNAL.has(node.operator)) continue;
    for (const output of node.outputs) {
      if (output !== '' && isFloat(shapes, output)) active.add(output);
    }
  }
  return active;
}

const CARRIES_NO_SIGNAL: ReadonlySet<string> = new Set([
  'Shape',
  'Size',
  'ConstantOfShape',
  'ArgMax',
  'ArgMin',
  'NonZero',
]);

function isFloat(shapes: Shapes, value: string): boolean {
  let type: string;
  try {
    type = shapes.type(value);
  } catch {
    // An operator nothing is known about: it stays on the path, where the missing rule is reported by name.
    return true;
  }
  return type === 'float32' || type === 'float64' || type === 'float16' || type === 'bfloat16';
}

/** The nodes between `wrt` and the objective's values, in the order of the forward pass. */
export function pathNodes(
  graph: Graph,
  active: ReadonlySet<string>,
  objective: readonly string[],
  wrt: ReadonlySet<string>,
): readonly Node[] {
  const reached = new Set(objective);
  const path: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((output) => reached.has(output) && active.has(output))) continue;
    const sources = node.inputs.filter((input) => active.has(input));
    // What made a value of `wrt` is not on the path unless another of `wrt` lies behind it.
    if (sources.length === 0) continue;
    for (const source of sources) reached.add(source);
    path.push(node);
  }
  const [first, ...others] = objective;
  return first !== undefined && others.length === 0 && wrt.has(first) && wrt.size === 1 ? [] : path.reverse();
}

/** Throws `wrong-use` for a node of the path that the method is not defined for. */
export function forbid(composite: Composite, path: readonly Node[]): void {
  for (const node of path) {
    const instead = composite.forbidden?.[node.operator];
    if (instead !== undefined) {
      throw new UnitscopeError(
        'wrong-use',
        `${composite.name} is not defined through ${nodeLabel(node)}: ${instead}`,
        {
          subject: node.name,
        },
      );
    }
  }
}
