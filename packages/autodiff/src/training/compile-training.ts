import { cutGraph, type Dim, type Graph, GraphBuilder, indexGraph, upgradeOpset } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import { backpropagate } from '../backpropagate.js';
import { canonize, inferWithInputs, RULE_OPSET } from '../canonize.js';
import { chooseRules } from '../composite.js';
import { type Lowering, lower } from '../lowering.js';
import { activeValues, pathNodes, requireFloat32, requireValues } from '../path.js';
import type { PlacedNode } from '../placement.js';
import { gradientRule } from '../registry.js';
import { type Injection, injecting } from './injection.js';
import { emitLoss, type Loss, type LossInput } from './loss.js';
import { type DropoutMask, prepareTraining, type RunningStatistic } from './prepare.js';

export interface TrainingOptions {
  readonly loss: Loss;
  /** Initializers to train: they become inputs of the graph. */
  readonly parameters: readonly string[];
  /**
   * How batch normalizations with trained parameters normalize: by the `batch` (the default), which moves their running
   * statistics, or `frozen` by the running ones. Those without trained parameters are always frozen.
   */
  readonly batchNormalization?: 'batch' | 'frozen';
  /** Whether Dropout drops, by masks that are given; it is left out by default. */
  readonly dropout?: boolean;
  /** Terms of the gradient besides the loss; several at one value act one after the other. */
  readonly injections?: readonly Injection[];
  /** Values of the forward pass to give out besides, such as the scores. */
  readonly outputs?: readonly string[];
  /** What the graph is to run on; `portable`, standard operators only, by default. */
  readonly lowering?: Lowering;
  /** Dims to take for graph inputs instead of those in the file. */
  readonly inputDims?: Readonly<Record<string, readonly Dim[]>>;
}

/** One training step but for the update, as one graph, and the names under which its inputs and outputs go. */
export interface CompiledTraining {
  readonly graph: Graph;
  readonly labels: LossInput;
  /** The weight of each sample in the loss, float32 [N]; 1 / N each for the mean. */
  readonly weights: LossInput;
  /** The loss, a scalar. */
  readonly loss: string;
  /** The gradient of each parameter, of its dims; summed over the batch, since the weights hold 1 / N. */
  readonly gradients: ReadonlyMap<string, string>;
  /** Running statistics, which are inputs as parameters are, and their values after the batch. */
  readonly statistics: readonly RunningStatistic[];
  readonly dropouts: readonly DropoutMask[];
  /** The other outputs asked for, and those of injections, under their own names. */
  readonly outputs: readonly string[];
  readonly placement: readonly PlacedNode[];
}

/**
 * The network, its loss, and the gradient of the loss for every parameter as one graph. Parameters are inputs, so a
 * session serves all steps and an update is nothing but new numbers in their arrays.
 *
 * Throws `not-found` for values and parameters the graph does not have, `unsupported` for an operator on the path that
 * has no rule, naming the node, `wrong-use` for a parameter or injection the loss does not depend on.
 */
export function compileTraining(graph: Graph, options: TrainingOptions): CompiledTraining {
  const { loss, parameters, injections = [], outputs: extra = [], inputDims } = options;
  const wanted = [...new Set([loss.value, ...extra, ...injections.map(({ value }) => value)])];
  requireValues(graph, wanted);
  const needed = upgradeOpset(cutGraph(graph, { outputs: wanted }), RULE_OPSET);
  for (const name of parameters) {
    if (graph.initializers.has(name) && !needed.initializers.has(name)) throw untouched(name, loss);
  }
  const prepared = prepareTraining(needed, inferWithInputs(needed, inputDims), {
    parameters,
    batchNormalization: options.batchNormalization ?? 'batch',
    dropout: options.dropout ?? false,
  });
  const { statistics, dropouts } = prepared;
  // What the batch changes is an output from here on, so that nothing takes it for dead.
  const updated = statistics.map((statistic) => statistic.updated);
  const complete = {
    ...prepared.graph,
    outputs: [
      ...prepared.graph.outputs,
      ...updated.map((name) => ({ name, type: 'float32' as const, dims: undefined })),
    ],
  };
  const forward = canonize(complete, new Set([...wanted, ...updated]));
  const shapes = inferWithInputs(forward, inputDims);
  const { maker, consumers } = indexGraph(forward);
  const active = activeValues(forward, shapes, parameters);
  const path = pathNodes(forward, active, [loss.value], new Set(parameters));
  requireFloat32(shapes, [loss.value]);
  const composite = { name: 'gradient', assignments: prepared.assignments };
  const view = { constant: (value: string) => shapes.constant(value), maker, consumers };
  const rules = chooseRules(composite, path, view, gradientRule);

  const builder = new GraphBuilder(forward);
  const scores = shapes.dims(loss.value);
  if (scores === undefined) {
    throw new UnitscopeError('unsupported', `the dims of ${loss.value} cannot be inferred`, {
      subject: loss.value,
    });
  }
  const emitted = emitLoss(builder, loss, scores);
  const { revise, outputs: injected } = injecting(injections, builder, shapes);
  const total = backpropagate(
    { graph: forward, shapes, builder, maker, active },
    { path, rules, start: new Map([[loss.value, emitted.signal]]), revise },
  );
  for (const { value } of injections) if (total(value) === undefined) throw untouched(value, loss);
  const given = new Set<string>();
  const gradients = parameters.map((name) => {
    const signal = total(name);
    if (signal === undefined) throw untouched(name, loss);
    // Two parameters that are added have one signal; an output has one name.
    const own = given.has(signal) ? builder.node('Identity', [signal], {}, { name: `grad/${name}` }) : signal;
    given.add(own);
    return own;
  });
  builder.setOutputs([]);
  gradients.forEach((name, i) => {
    builder.output({ name, type: 'float32', dims: shapes.dims(parameters[i]!) });
  });
  builder.output({ name: emitted.loss, type: 'float32', dims: [] });
  for (const { name, updated: value } of statistics) {
    builder.output({ name: value, type: 'float32', dims: shapes.dims(name) });
  }
  for (const name of extra) builder.output({ name, type: shapes.type(name), dims: shapes.dims(name) });
  for (const output of injected) builder.output(output);
  const { graph: lowered, placement } = lower(builder.build(), options.lowering ?? 'portable', inputDims);
  // Lowering may rename what an operator of ours made last; outputs keep their order.
  const names = lowered.outputs.map((output) => output.name);
  return {
    graph: lowered,
    labels: emitted.labels,
    weights: emitted.weights,
    loss: emitted.loss,
    gradients: new Map(parameters.map((name, i) => [name, names[i]!])),
    statistics,
    dropouts,
    outputs: [...extra, ...injected.map(({ name }) => name)],
    placement,
  };
}

function untouched(name: string, { value }: Loss): UnitscopeError {
  return new UnitscopeError('wrong-use', `${value} does not depend on ${name}, so it cannot be trained`, {
    subject: name,
  });
}
