import { UnitscopeError } from '@unitscope/tensor';

/** What an argument is wrong about, as an error that names it. */
export function badInput(subject: string, message: string): UnitscopeError {
  return new UnitscopeError('bad-input', message, { subject });
}
