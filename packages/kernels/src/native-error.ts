import { type ErrorCode, UnitscopeError } from '@unitscope/tensor';

const CODES: Readonly<Record<string, ErrorCode>> = {
  'invalid-argument': 'wrong-use',
  'bad-input': 'bad-input',
  unsupported: 'unsupported',
};

/** What the addon threw, as an error that names the kernel or function it came from. */
export function asUnitscopeError(subject: string, cause: unknown): UnitscopeError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const status = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return new UnitscopeError(CODES[status] ?? 'backend', `${subject}: ${message}`, { subject, cause });
}
