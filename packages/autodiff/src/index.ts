export { type BlockedOptions, blockGraph } from './blocked/index.js';
export { NCHWC_DOMAIN } from './blocked/writer.js';
export { canonize, findScore, RULE_OPSET, type ScoreOutput } from './canonize.js';
export { type CompiledPullback, type CompileOptions, compile, type PlannedRule } from './compile.js';
export { type Assignment, type Composite, type NodeView, withAssignments } from './composite.js';
export { gradient } from './composites/gradient.js';
export {
  type EpsilonOptions,
  type GammaOptions,
  type LrpOptions,
  lrp,
  lrpEpsilon,
  lrpGamma,
  lrpZPlus,
} from './composites/lrp.js';
export { deconvnet, deconvolution, guidedBackprop } from './composites/rectifying.js';
export { redirectedRelu } from './composites/redirected-relu.js';
export { foldScales } from './fold-scale.js';
export { type FusedGraph, type Fusions, fuseSignals } from './fuse.js';
export { lowerGraph } from './lower.js';
export { type LoweredGraph, type Lowering, lower } from './lowering.js';
export { type LoweringContext, type NativeOperator, UNITSCOPE_DOMAIN } from './native-operator.js';
export type { Objective, ObjectiveInput, StartingSignal, UnitPosition } from './objective.js';
export type { Layout, PlacedNode } from './placement.js';
export { differentiableOperators, nativeOperators, nativeShapeRules } from './registry.js';
export type { Rule, RuleContext } from './rule.js';
export {
  type CompiledTraining,
  compileTraining,
  type TrainingOptions,
} from './training/compile-training.js';
export type { Injection, InjectionContext } from './training/injection.js';
export type { Loss, LossInput, LossKind } from './training/loss.js';
export { type DropoutMask, initializersAsInputs, type RunningStatistic } from './training/prepare.js';
export { trainableParameters } from './training/trainable.js';
