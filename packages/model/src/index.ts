export type { Progress } from './batches.js';
export {
  type EngineOptions,
  type EngineStatus,
  engineNames,
  listEngines,
  openEngine,
} from './choose-engine.js';
export type { Engine, LoadOptions, ProfiledSession, RunOptions, Session, Tensors } from './engine.js';
export type { Layer } from './layers.js';
export { chooseLowering, type LoweringName, loweringNames } from './lowering.js';
export {
  type Activations,
  type EngineRecord,
  Model,
  type ModelOptions,
  type ModelRunOptions,
} from './model.js';
export { onnxRuntimeLibrary } from './native/library.js';
export type { PlanNode } from './plan.js';
export {
  type Coefficients,
  Pullback,
  type PullbackObjective,
  type PullbackOptions,
  type PullbackProfile,
  type PullbackResult,
  type PullbackRunOptions,
} from './pullback.js';
export type { ReceptiveField } from './receptive-field.js';
export { type OneTarget, type PullbackTarget, resolveTargets, type UnitPlace } from './targets.js';
