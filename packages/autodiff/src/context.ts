import {
  type Dim,
  type Graph,
  type GraphBuilder,
  type Node,
  nodeLabel,
  opsetOf,
  type Shapes,
} from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import type { RuleContext } from './rule.js';

/** What the contexts of all nodes of one graph share. */
export interface Differentiation {
  readonly graph: Graph;
  readonly shapes: Shapes;
  readonly builder: GraphBuilder;
  maker(value: string): Node | undefined;
  /** Values that depend on what is differentiated with respect to. */
  readonly active: ReadonlySet<string>;
}

/** The view one rule gets of one node. */
export function createContext(
  { graph, shapes, builder, maker, active }: Differentiation,
  node: Node,
  signals: readonly (string | undefined)[],
): RuleContext {
  const unsupported = (why: string) =>
    new UnitscopeError('unsupported', `${nodeLabel(node)} cannot be differentiated: ${why}`, {
      subject: node.name,
    });
  const dims = (value: string): readonly Dim[] => {
    const known = shapes.dims(value);
    if (known === undefined) throw unsupported(`the dims of ${value} cannot be inferred`);
    return known;
  };
  const stem = `grad/${node.name === '' ? (node.outputs[0] ?? node.operator) : node.name}`;
  const context: RuleContext = {
    node,
    opset: opsetOf(graph),
    builder,
    signal: (output) => signals[output],
    needs: (input) => {
      const value = node.inputs[input];
      return value !== undefined && value !== '' && active.has(value);
    },
    dims,
    sizes: (value, fromAxis) =>
      dims(value)
        .slice(fromAxis)
        .map((size) => {
          if (typeof size === 'number') return size;
          throw unsupported(
            `dims [${dims(value).join(', ')}] of ${value} are known at run time only; fix the network's input size`,
          );
        }),
    type: (value) => shapes.type(value),
    constant: (value) => (value === '' ? undefined : shapes.constant(value)),
    maker,
    requireConstant: (input, what) => {
      const value = node.inputs[input];
      const known = value === undefined || value === '' ? undefined : shapes.constant(value);
      if (known === undefined) throw unsupported(`${what} must be a constant, it is computed at run time`);
      return known;
    },
    emit: (operator, inputs, attributes = {}, options = {}) =>
      builder.node(operator, inputs, attributes, { name: `${stem}/${operator}`, ...options }),
    emitMany: (operator, inputs, outputCount, attributes = {}, options = {}) =>
      builder.nodes(operator, inputs, outputCount, attributes, { name: `${stem}/${operator}`, ...options }),
    reduceTo: (value, valueDims, like) => reduceTo(context, value, valueDims, like),
    unsupported,
  };
  return context;
}

/** The transpose of broadcasting: sums over the axes along which `like` was repeated. */
function reduceTo(context: RuleContext, value: string, valueDims: readonly Dim[], like: string): string {
  const wanted = context.dims(like);
  const extra = valueDims.length - wanted.length;
  const leading = Array.from({ length: extra }, (_, axis) => axis);
  const repeated = wanted.flatMap((size, axis) =>
    size === 1 && valueDims[axis + extra] !== 1 ? [axis + extra] : [],
  );
  let reduced = value;
  if (leading.length + repeated.length > 0) {
    const axes = context.builder.ints([...leading, ...repeated]);
    reduced = context.emit('ReduceSum', [reduced, axes], { keepdims: 1 });
  }
  if (leading.length > 0) {
    reduced = context.emit('Squeeze', [reduced, context.builder.ints(leading)]);
  }
  return reduced;
}
