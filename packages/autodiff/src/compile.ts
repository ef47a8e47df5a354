import { cutGraph, type Dim, type Graph, GraphBuilder, indexGraph, type Node } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import { backpropagate } from './backpropagate.js';
import { canonize, inferWithInputs } from './canonize.js';
import { type Composite, chooseRules } from './composite.js';
import { type Lowering, lower } from './lowering.js';
import { emitObjective, type Objective, type ObjectiveInput, objectiveValues } from './objective.js';
import { activeValues, forbid, pathNodes, requireFloat32, requireValues } from './path.js';
import { labelOf, type PlacedNode } from './placement.js';
import { gradientRule } from './registry.js';
import type { Rule } from './rule.js';

export interface CompileOptions {
  readonly objective: Objective;
  /** The values to differentiate with respect to: the network's input, or inner values. */
  readonly wrt: readonly string[];
  readonly composite: Composite;
  /** Values of the forward pass to give out besides, such as the class scores. */
  readonly outputs?: readonly string[];
  /** Take the objective after a softmax over axis 1 that is added for it. */
  readonly softmax?: boolean;
  /** What the graph is to run on; `portable`, standard operators only, by default. */
  readonly lowering?: Lowering;
  /** Dims to take for graph inputs instead of those in the file. */
  readonly inputDims?: Readonly<Record<string, readonly Dim[]>>;
}

export interface PlannedRule {
  readonly node: string;
  readonly operator: string;
  readonly rule: string;
}

/** A forward and backward pass as one graph, and the names under which its inputs and outputs go. */
export interface CompiledPullback {
  readonly graph: Graph;
  /** The run-time input of the objective: `target` (int64 [N]), or the first of `seeds`. */
  readonly targetInput: string;
  /** The run-time inputs that are signals, by the value they start from; none where the input is a `target`. */
  readonly seeds: ReadonlyMap<string, ObjectiveInput>;
  /** The signal that arrives at each value of `wrt`, by that value's name. */
  readonly signals: ReadonlyMap<string, string>;
  /** S of each sample, [N]; absent for a seed objective. */
  readonly score: string | undefined;
  /** Flat index of the element explained, [N] int64; absent for seeds and means. */
  readonly index: string | undefined;
  /** The other outputs asked for, under their own names. */
  readonly outputs: readonly string[];
  /** Which rule each node on the path got, in the order of the forward pass. */
  readonly plan: readonly PlannedRule[];
  /** Every node of the graph: its operator, its layout, what was fused into it. */
  readonly placement: readonly PlacedNode[];
  /** What a reader of the result should know, such as activations the method's paper does not speak of. */
  readonly notes: readonly string[];
}

/**
 * Reverse-mode differentiation as graph to graph: the network, followed by the nodes that carry a signal from the
 * objective back to `wrt`, by the rules the composite chooses (SPEC: backprop, deconvnet, guided backprop).
 *
 * Throws `not-found` for a value the graph does not have, `unsupported` for an operator on the path that has no rule,
 * naming the node, and where the objective does not depend on `wrt`.
 */
export function compile(graph: Graph, options: CompileOptions): CompiledPullback {
  const { composite, wrt } = options;
  const extra = options.outputs ?? [];
  const explained = objectiveValues(options.objective);
  const wanted = [...new Set([...wrt, ...explained, ...extra])];
  requireValues(graph, wanted);
  const needed = cutGraph(graph, { outputs: wanted });
  const canonical = canonize(needed, new Set(wanted));
  const builder = new GraphBuilder(canonical);
  let objective = options.objective;
  if (options.softmax === true) {
    if (objective.kind === 'linear') {
      throw new UnitscopeError(
        'wrong-use',
        'the softmax is for one value; a linear objective takes values as they are',
      );
    }
    const value = builder.node('Softmax', [objective.value], { axis: 1 }, { name: 'objective/Softmax' });
    objective = { ...objective, value };
  }
  const sources = objectiveValues(objective);
  const [subject] = sources;
  const forward = builder.build();
  const shapes = inferWithInputs(forward, options.inputDims);
  const { maker, consumers } = indexGraph(forward);
  const active = activeValues(forward, shapes, wrt);
  const path = pathNodes(forward, active, sources, new Set(wrt));
  if (path.length === 0 && !sources.some((value) => wrt.includes(value))) {
    throw new UnitscopeError('unsupported', `${sources.join(', ')} does not depend on ${wrt.join(', ')}`, {
      subject,
    });
  }
  forbid(composite, path);
  const rules = chooseRules(
    composite,
    path,
    { constant: (value) => shapes.constant(value), maker, consumers },
    gradientRule,
  );
  requireFloat32(shapes, [...wrt, ...sources]);

  const dimsOf = (value: string): readonly Dim[] => {
    const dims = shapes.dims(value);
    if (dims !== undefined) return dims;
    throw new UnitscopeError('unsupported', `the dims of ${value} cannot be inferred`, { subject: value });
  };
  const { kind } = objective;
  const start = (kind === 'class' || kind === 'unit' ? composite.start?.[kind] : undefined) ?? 'one';
  const seed = emitObjective(builder, objective, dimsOf, start);
  const differentiation = { graph: forward, shapes, builder, maker, active };
  const total = backpropagate(differentiation, { path, rules, start: seed.signals });

  const signals = new Map<string, string>();
  for (const value of wrt) {
    const signal = total(value);
    if (signal === undefined) {
      throw new UnitscopeError('unsupported', `no signal from ${sources.join(', ')} reaches ${value}`, {
        subject: value,
      });
    }
    signals.set(value, signal);
  }
  builder.setOutputs([]);
  const give = (
    name: string | undefined,
    outputDims: readonly Dim[] | undefined,
    type: 'float32' | 'int64',
  ) => {
    if (name !== undefined) builder.output({ name, type, dims: outputDims });
  };
  const batch = dimsOf(subject).slice(0, 1);
  for (const [value, signal] of signals) give(signal, shapes.dims(value), 'float32');
  give(seed.score, batch, 'float32');
  give(seed.index, batch, 'int64');
  for (const value of extra)
    builder.output({ name: value, type: shapes.type(value), dims: shapes.dims(value) });
  const compiled = builder.build();
  const { graph: lowered, placement } = lower(compiled, options.lowering ?? 'portable', options.inputDims);
  // Lowering may rename a signal that an operator of ours made last; outputs keep their order.
  const names = lowered.outputs.map((output) => output.name);
  const [...signalNames] = names.slice(0, wrt.length);
  return {
    graph: lowered,
    targetInput: seed.input.name,
    seeds: seed.seeds,
    signals: new Map(wrt.map((value, i) => [value, signalNames[i]!])),
    score: seed.score,
    index: seed.index,
    outputs: extra,
    plan: path.map((node) => ({
      node: labelOf(node),
      operator: node.operator,
      rule: rules.get(node)!.name,
    })),
    placement,
    notes: [...notesOnSilence(composite, path), ...notesOnRules(composite, rules)],
  };
}

function notesOnSilence(composite: Composite, path: readonly Node[]): string[] {
  const silent = new Set(composite.silentOn ?? []);
  const found = [
    ...new Set(path.map((node) => node.operator).filter((operator) => silent.has(operator))),
  ].sort();
  return found.length === 0
    ? []
    : [
        `${composite.name} is defined for ReLU; ${found.join(', ')} keep${found.length === 1 ? 's' : ''} the derivative`,
      ];
}

/** What the rules say of themselves, once each, with the operators they were used at. */
function notesOnRules({ name }: Composite, rules: ReadonlyMap<Node, Rule>): string[] {
  const operators = new Map<string, Set<string>>();
  for (const [{ operator }, { note }] of rules) {
    if (note !== undefined) operators.set(note, (operators.get(note) ?? new Set()).add(operator));
  }
  return [...operators].map(([note, names]) => `${name}: ${[...names].sort().join(', ')} ${note}`);
}
