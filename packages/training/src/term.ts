import type { Injection } from '@unitscope/autodiff';
import type { Tensor, TensorData } from '@unitscope/tensor';

/** What a term may look at before a step. */
export interface StepView {
  /** Of this step, from 1. */
  readonly step: number;
  /** Epochs done, with the fraction of the one under way. */
  readonly epoch: number;
  /** The number of samples of the batch. */
  readonly count: number;
  /** The category of each sample; empty where labels are given as scores. */
  readonly labels: readonly number[];
}

/**
 * A term of training besides the loss on the scores: what it writes into the graph, what it is fed with before each step,
 * and what it learns from each. It may keep a state, which checkpoints carry.
 */
export interface TrainingTerm {
  /** Begins the names of its run-time inputs, its outputs and its part of a checkpoint; unique among the terms. */
  readonly name: string;
  readonly injections: readonly Injection[];
  /** Values for its run-time inputs; kept as they are until the step is done. */
  feeds(view: StepView): Readonly<Record<string, Tensor<TensorData>>>;
  /** Called after the update with the outputs of its injections, by name; their memory is reused afterwards. */
  observe?(outputs: ReadonlyMap<string, Tensor<TensorData>>, view: StepView): void;
  /** Arrays that must be saved for a run to go on exactly. */
  state?(): ReadonlyMap<string, Float32Array>;
  restore?(state: ReadonlyMap<string, Float32Array>): void;
}
