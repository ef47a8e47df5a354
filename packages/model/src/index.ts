export type { Progress } from './batches.js';
export {
  type Engine,
  engineNames,
  type LoadOptions,
  openEngine,
  type RunOptions,
  type Session,
  type Tensors,
} from './engine.js';
export type { Layer } from './layers.js';
export {
  type Activations,
  type EngineRecord,
  Model,
  type ModelOptions,
  type ModelRunOptions,
} from './model.js';
export {
  Pullback,
  type PullbackObjective,
  type PullbackOptions,
  type PullbackResult,
  type PullbackRunOptions,
} from './pullback.js';
export type { ReceptiveField } from './receptive-field.js';
export type { OneTarget, PullbackTarget, UnitPlace } from './targets.js';
