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

/** The error a promise must be rejected by. */
export async function rejectionOf(promise: Promise<unknown>): Promise<UnitscopeError> {
  const error: unknown = await promise.then(
    () => new Error('nothing was thrown'),
    (cause: unknown) => cause,
  );
  if (error instanceof UnitscopeError) return error;
  throw error;
}
