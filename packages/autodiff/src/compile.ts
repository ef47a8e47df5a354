import {
  cutGraph,
  type Dim,
  type Graph,
  GraphBuilder,
  indexGraph,
  type Node,
  nodeLabel,
  type Shapes,
} from '@unitscope/onnx';
import { UnitscopeError, unknownName } from '@unitscope/tensor';
import { canonize, inferWithInputs } from './canonize.js';
import { type Composite, chooseRules } from './composite.js';
import { createContext } from './context.js';
import { type Lowering, lower } from './lowering.js';
import { emitObjective, type Objective, type ObjectiveInput, objectiveValues } from './objective.js';
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
  const arrived = new Map([...seed.signals].map(([value, signal]) => [value, [signal]]));
  const total = (value: string): string | undefined => {
    const parts = arrived.get(value);
    if (parts === undefined) return undefined;
    if (parts.length > 1) {
      const sum = builder.node('Sum', parts, {}, { name: `grad/${value}/Sum` });
      arrived.set(value, [sum]);
      return sum;
    }
    return parts[0];
  };
  const differentiation = { graph: forward, shapes, builder, maker, active };
  for (const node of [...path].reverse()) {
    const signals = node.outputs.map(total);
    if (signals.every((signal) => signal === undefined)) continue;
    const rule = rules.get(node)!;
    const passed = rule.backward(createContext(differentiation, node, signals));
    for (const [input, signal] of passed.entries()) {
      const value = node.inputs[input];
      if (signal === undefined || value === undefined || !active.has(value)) continue;
      const parts = arrived.get(value);
      if (parts === undefined) arrived.set(value, [signal]);
      else parts.push(signal);
    }
  }

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

function requireValues(graph: Graph, names: readonly string[]): void {
  const known = new Set<string>([...graph.inputs.map((input) => input.name), ...graph.initializers.keys()]);
  for (const node of graph.nodes) for (const output of node.outputs) known.add(output);
  for (const name of names) if (!known.has(name)) throw unknownName('value', name, [...known]);
}

function requireFloat32(shapes: Shapes, values: readonly string[]): void {
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
function activeValues(graph: Graph, shapes: Shapes, wrt: readonly string[]): Set<string> {
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
function pathNodes(
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

function forbid(composite: Composite, path: readonly Node[]): void {
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
