import { UnitscopeError } from '@unitscope/tensor';

/** The error an action must throw. */
export function errorOf(action: () => unknown): UnitscopeError {
  try {
    action();
  } catch (error) {
    if (error instanceof UnitscopeError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
