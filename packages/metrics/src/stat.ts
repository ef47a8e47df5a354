import type { StateReader, StateValue } from './state.js';

/**
 * Something that accumulates over a data set. Counts are integers and selection is exact, so that batches may come in
 * any order and shards be merged in any order, with the same result bit by bit.
 */
export interface Stat<Batch, Result> {
  add(batch: Batch): Promise<void>;
  /** Takes in what another one of the same parameters has seen; throws `wrong-use` for another kind of parameters. */
  merge(other: this): void;
  /** Everything it holds. The same data give the same state, however they were split. */
  toState(): StateValue;
  result(): Result;
}

/** What makes a `Stat` from its state; throws `bad-file` for a state that contradicts itself. */
export type FromState<S> = (state: StateReader) => S;
