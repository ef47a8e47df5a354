import {
  type Constant,
  cutGraph,
  type Dim,
  floatAttribute,
  type Graph,
  type GraphBuilder,
  type Initializer,
  indexGraph,
  type Node,
  nodeLabel,
  replaceNodes,
  type Shapes,
  tensorAttribute,
} from '@unitscope/onnx';
import { UnitscopeError, unknownName } from '@unitscope/tensor';
import type { Assignment } from '../composite.js';
import { labelOf } from '../placement.js';
import { batchStatistics } from '../rules/batch-normalization.js';

/** A Dropout that a mask given at run time stands for. */
export interface DropoutMask {
  /** The graph input: float32, of the dims of the value dropped from, 0 where it is dropped, else 1 / (1 - ratio). */
  readonly input: string;
  readonly dims: readonly Dim[];
  /** The share that is dropped. */
  readonly ratio: number;
}

/** A running mean or variance of a batch normalization. */
export interface RunningStatistic {
  /** The initializer, now a graph input. */
  readonly name: string;
  /** Its value after the batch. */
  readonly updated: string;
}

export interface PreparedTraining {
  readonly graph: Graph;
  readonly assignments: readonly Assignment[];
  readonly statistics: readonly RunningStatistic[];
  readonly dropouts: readonly DropoutMask[];
}

interface ByBatch {
  readonly replacement: Node;
  readonly assignment: Assignment;
  readonly statistics: readonly RunningStatistic[];
}

export interface PrepareOptions {
  readonly parameters: readonly string[];
  readonly batchNormalization: 'batch' | 'frozen';
  readonly dropout: boolean;
}

/**
 * The graph as it is trained: parameters and running statistics are inputs, a batch normalization with trained
 * parameters normalizes by the statistics of the batch, a Dropout multiplies by a mask that is given.
 */
export function prepareTraining(graph: Graph, shapes: Shapes, options: PrepareOptions): PreparedTraining {
  const { parameters } = options;
  const trained = new Set(parameters);
  for (const name of parameters) {
    const initializer = graph.initializers.get(name);
    if (initializer === undefined) throw unknownName('parameter', name, [...graph.initializers.keys()]);
    if (initializer.type !== 'float32') {
      throw new UnitscopeError('unsupported', `${name} is ${initializer.type}; only float32 can be trained`, {
        subject: name,
      });
    }
  }
  const { maker } = indexGraph(graph);
  const assignments: Assignment[] = [];
  const statistics: RunningStatistic[] = [];
  const dropouts: DropoutMask[] = [];
  const constantOf = (value: string): Constant | undefined => {
    const node = maker(value);
    return graph.initializers.get(value) ?? (node && tensorAttribute(node, 'value'));
  };
  const dimsOf = (value: string): readonly Dim[] => {
    const dims = shapes.dims(value);
    if (dims !== undefined) return dims;
    throw new UnitscopeError('unsupported', `the dims of ${value} cannot be inferred`, { subject: value });
  };
  const rewritten = replaceNodes(graph, (node, builder) => {
    if (node.domain !== '') return undefined;
    if (node.operator === 'Dropout' && options.dropout) {
      const ratio = ratioOf(node, constantOf);
      if (ratio === 0) return undefined;
      const mask = builder.freshName('dropout_mask');
      const [value] = node.inputs as [string];
      dropouts.push({ input: mask, dims: dimsOf(value), ratio });
      const inputs = [value, mask];
      return [{ ...node, operator: 'Mul', inputs, outputs: [node.outputs[0]!], attributes: new Map() }];
    }
    if (node.operator !== 'BatchNormalization' || options.batchNormalization === 'frozen') return undefined;
    if (!trained.has(node.inputs[1]!) && !trained.has(node.inputs[2]!)) return undefined;
    const {
      replacement,
      assignment,
      statistics: running,
    } = byBatch(node, builder, graph, dimsOf(node.inputs[0]!));
    assignments.push(assignment);
    statistics.push(...running);
    return [replacement];
  });
  const moved = new Map<string, Initializer>();
  for (const name of [...parameters, ...statistics.map((statistic) => statistic.name)]) {
    moved.set(name, graph.initializers.get(name)!);
  }
  const inputs = [...moved.values()].map(({ name, type, dims }) => ({ name, type, dims }));
  return {
    graph: {
      ...rewritten,
      inputs: [
        ...rewritten.inputs,
        ...inputs,
        ...dropouts.map(({ input, dims }) => ({ name: input, type: 'float32' as const, dims })),
      ],
      initializers: new Map([...rewritten.initializers].filter(([name]) => !moved.has(name))),
    },
    assignments,
    statistics,
    dropouts,
  };
}

/**
 * The part of a network that computes `outputs`, with initializers as inputs: what runs a network whose parameters
 * change. Names that part does not need are left out.
 */
export function initializersAsInputs(
  graph: Graph,
  names: readonly string[],
  outputs: readonly string[],
): Graph {
  const needed = cutGraph(graph, { outputs });
  const moved = new Map(
    names.flatMap((name) => {
      const initializer = needed.initializers.get(name);
      return initializer === undefined ? [] : [[name, initializer] as const];
    }),
  );
  return {
    ...needed,
    inputs: [...needed.inputs, ...[...moved.values()].map(({ name, type, dims }) => ({ name, type, dims }))],
    initializers: new Map([...needed.initializers].filter(([name]) => !moved.has(name))),
  };
}

/** The share a Dropout drops in training, whatever its file was exported for. */
function ratioOf(node: Node, constant: (value: string) => Constant | undefined): number {
  const ratio = node.inputs[1] ?? '';
  if (ratio === '') return 0.5;
  const known = constant(ratio);
  if (known !== undefined) return Number(known.data[0]);
  throw new UnitscopeError('unsupported', `the ratio of ${nodeLabel(node)} is computed; make it a constant`, {
    subject: node.name,
  });
}

/**
 * BatchNormalization by the mean and variance of the batch (over samples and positions, the population's), which the
 * running ones follow: running' = momentum running + (1 - momentum) batch, as ONNX says for training_mode.
 */
function byBatch(node: Node, builder: GraphBuilder, { initializers }: Graph, dims: readonly Dim[]): ByBatch {
  const [x, scale, bias, ...running] = node.inputs as [string, string, string, string, string];
  const momentum = floatAttribute(node, 'momentum', 0.9);
  const stem = labelOf(node);
  const emit = (operator: string, inputs: readonly string[], attributes = {}) =>
    builder.node(operator, inputs, attributes, { name: `${stem}/${operator}` });
  const axes = builder.ints(dims.flatMap((_, axis) => (axis === 1 ? [] : [axis])));
  const broadMean = emit('ReduceMean', [x, axes], { keepdims: 1 });
  const centred = emit('Sub', [x, broadMean]);
  const mean = emit('Reshape', [broadMean, builder.ints([-1])]);
  const variance = emit('ReduceMean', [emit('Mul', [centred, centred]), axes], { keepdims: 0 });
  const statistics = running.map((name, i): RunningStatistic => {
    if (!initializers.has(name)) {
      throw new UnitscopeError('unsupported', `${nodeLabel(node)}: its statistics must be initializers`, {
        subject: node.name,
      });
    }
    const kept = emit('Mul', [name, builder.floats(momentum)]);
    const added = emit('Mul', [i === 0 ? mean : variance, builder.floats(1 - momentum)]);
    return { name, updated: emit('Add', [kept, added]) };
  });
  const name = builder.freshName(`${stem}/batch`);
  const replacement: Node = {
    name,
    operator: 'BatchNormalization',
    domain: '',
    inputs: [x, scale, bias, mean, variance],
    outputs: [node.outputs[0]!],
    attributes: new Map([['epsilon', { kind: 'float', value: floatAttribute(node, 'epsilon', 1e-5) }]]),
  };
  return { replacement, assignment: { node: name, rule: batchStatistics(centred) }, statistics };
}
