import {
  type Constant,
  type Dim,
  type ElementType,
  type Graph,
  GraphBuilder,
  nodeLabel,
  opsetOf,
  type ValueInfo,
} from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import type { NativeOperator } from '../../src/native-operator.js';
import type { Rule, RuleContext } from '../../src/rule.js';

export interface DifferentiateNodeOptions {
  /** Names of the node's inputs whose gradients are wanted. */
  readonly wrt: readonly string[];
  /** The node, by its position; the first by default. */
  readonly node?: number;
  /** The outputs a signal arrives at; output 0 by default. */
  readonly signals?: readonly number[];
}

/** The name of the input that carries the signal of an output: `signal`, `signal_1`, ... */
export function signalName(output: number): string {
  return output === 0 ? 'signal' : `signal_${output}`;
}

/**
 * Forward and backward graph of one node: the graph with one more input per signal (`signal` for output 0) and the
 * outputs `grad_<input>` in place of its own. Dims of the node's outputs are read from the graph's outputs or its
 * valueInfo, so the caller states them.
 */
export function differentiateNode(graph: Graph, rule: Rule, options: DifferentiateNodeOptions): Graph {
  const node = graph.nodes[options.node ?? 0]!;
  const known = new Map<string, ValueInfo>(graph.valueInfo);
  for (const info of [...graph.inputs, ...graph.outputs, ...graph.initializers.values()]) {
    known.set(info.name, info);
  }
  const lookUp = (value: string): ValueInfo => {
    const info = known.get(value);
    if (info === undefined) throw new Error(`the test graph states no dims of "${value}"`);
    return info;
  };
  const builder = new GraphBuilder(graph);
  const signals = new Map<number, string>();
  for (const output of options.signals ?? [0]) {
    const info = lookUp(node.outputs[output]!);
    signals.set(output, builder.input({ name: signalName(output), type: info.type, dims: info.dims }));
  }
  const unsupported = (why: string) => new UnitscopeError('unsupported', `${nodeLabel(node)}: ${why}`);
  const constantOf = (value: string): Constant | undefined => graph.initializers.get(value);
  const dimsOf = (value: string): readonly Dim[] => {
    const { dims } = lookUp(value);
    if (dims === undefined) throw unsupported(`the rank of "${value}" is unknown`);
    return dims;
  };

  const context: RuleContext = {
    node,
    opset: opsetOf(graph),
    builder,
    signal: (output) => signals.get(output),
    needs: (input) => options.wrt.includes(node.inputs[input] ?? ''),
    dims: dimsOf,
    sizes: (value, fromAxis) =>
      dimsOf(value)
        .slice(fromAxis)
        .map((dim) => {
          if (typeof dim !== 'number') throw unsupported(`a size of "${value}" is symbolic`);
          return dim;
        }),
    type: (value): ElementType => lookUp(value).type,
    constant: constantOf,
    maker: (value) => graph.nodes.find((maker) => maker.outputs.includes(value)),
    requireConstant: (input, what) => {
      const constant = constantOf(node.inputs[input] ?? '');
      if (constant === undefined) throw unsupported(`${what} must be constant`);
      return constant;
    },
    emit: (operator, inputs, attributes = {}, nodeOptions = {}) =>
      builder.node(operator, inputs, attributes, nodeOptions),
    emitMany: (operator, inputs, outputCount, attributes = {}, nodeOptions = {}) =>
      builder.nodes(operator, inputs, outputCount, attributes, nodeOptions),
    reduceTo: (value, valueDims, like) => {
      const target = dimsOf(like);
      const missing = valueDims.length - target.length;
      const axes = valueDims.flatMap((dim, axis) =>
        axis < missing || (target[axis - missing] === 1 && dim !== 1) ? [axis] : [],
      );
      if (axes.length === 0) return value;
      const summed = builder.node('ReduceSum', [value, builder.ints(axes)], { keepdims: 1 });
      if (missing === 0) return summed;
      const leading = Array.from({ length: missing }, (_, axis) => axis);
      return builder.node('Squeeze', [summed, builder.ints(leading)]);
    },
    unsupported,
  };

  const gradients = rule.backward(context);
  builder.setOutputs([]);
  for (const name of options.wrt) {
    // A value that is read by several inputs of the node gets the sum of their signals.
    const parts = gradients.flatMap((part, input) =>
      part !== undefined && node.inputs[input] === name ? [part] : [],
    );
    if (parts.length === 0) throw new Error(`rule ${rule.name} gave no signal for "${name}"`);
    const sum = parts.length === 1 ? parts[0]! : builder.node('Sum', parts);
    const { type, dims } = lookUp(name);
    // The rule may hand the signal itself on; an output needs a value of its own.
    const output = `grad_${name}`;
    builder.append({
      name: output,
      operator: 'Identity',
      domain: '',
      inputs: [sum],
      outputs: [output],
      attributes: new Map(),
    });
    builder.output({ name: output, type, dims });
  }
  const stated = graph.outputs.map((output): [string, ValueInfo] => [output.name, output]);
  return { ...builder.build(), valueInfo: new Map([...graph.valueInfo, ...stated]) };
}

/** The graph with every node of an operator of the list replaced by what its lowering emits. */
export function lowerOperators(graph: Graph, operators: readonly NativeOperator[]): Graph {
  const builder = new GraphBuilder({ ...graph, nodes: [] });
  const replaced = new Map<string, string>();
  const known = new Map<string, ValueInfo>(graph.valueInfo);
  for (const info of [...graph.inputs, ...graph.outputs, ...graph.initializers.values()]) {
    known.set(info.name, info);
  }
  for (const original of graph.nodes) {
    const node = { ...original, inputs: original.inputs.map((name) => replaced.get(name) ?? name) };
    const operator =
      node.domain === 'unitscope' ? operators.find((one) => one.operator === node.operator) : undefined;
    if (operator?.lower === undefined) {
      builder.append(node);
      continue;
    }
    const outputs = operator.lower({
      node,
      builder,
      dims: (value) => {
        const dims = known.get(value)?.dims;
        if (dims === undefined) throw new Error(`the test graph states no dims of "${value}"`);
        return dims;
      },
      // Named after the node that is replaced, so that no name of a later node is taken.
      emit: (name, inputs, attributes = {}) =>
        builder.node(name, inputs, attributes, { name: `${node.name}/${name}` }),
      emitMany: (name, inputs, outputCount, attributes = {}) =>
        builder.nodes(name, inputs, outputCount, attributes, { name: `${node.name}/${name}` }),
    });
    node.outputs.forEach((output, index) => {
      replaced.set(output, outputs[index]!);
    });
  }
  return builder.build();
}
