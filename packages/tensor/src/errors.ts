import { closest, distance as editDistance } from 'fastest-levenshtein';

/**
 * What went wrong, in one word that code can branch on.
 *
 * - `wrong-use`: an argument or option that can never work (exit code 2 on the command line)
 * - `not-found`: a file, layer, unit or class that does not exist
 * - `bad-file`: a file that is not what it should be: truncated, malformed, hostile
 * - `bad-input`: a tensor of the wrong shape or type, or with NaN
 * - `unsupported`: well-formed, but outside what unitscope can do
 * - `backend`: a device, library or engine that cannot be used
 * - `aborted`: stopped through an AbortSignal
 */
export type ErrorCode =
  | 'wrong-use'
  | 'not-found'
  | 'bad-file'
  | 'bad-input'
  | 'unsupported'
  | 'backend'
  | 'aborted';

export interface ErrorDetails {
  /** The offending name: a path, a layer, an option. */
  readonly subject?: string;
  /** The legal values, when they can be listed. */
  readonly alternatives?: readonly string[];
  readonly cause?: unknown;
}

/** Every error unitscope throws on purpose: one line that names the thing and the remedy. */
export class UnitscopeError extends Error {
  readonly code: ErrorCode;
  readonly subject: string | undefined;
  readonly alternatives: readonly string[];

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(oneLine(message), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'UnitscopeError';
    this.code = code;
    this.subject = details.subject;
    this.alternatives = details.alternatives ?? [];
  }
}

/**
 * The error for a name that is not one of `alternatives`: `no layer "conv9"; did you mean "conv5"?`
 *
 * @param kind what was looked up, in the singular ("layer", "method")
 */
export function unknownName(
  kind: string,
  name: string,
  alternatives: readonly string[],
  code: ErrorCode = 'not-found',
): UnitscopeError {
  const shown = alternatives.slice(0, 12).join(', ');
  const list = alternatives.length > 12 ? `${shown}, … (${alternatives.length} in all)` : shown;
  const guess = didYouMean(name, alternatives);
  const hint =
    guess !== undefined ? `did you mean "${guess}"?` : list === '' ? 'there are none' : `there are: ${list}`;
  return new UnitscopeError(code, `no ${kind} "${name}"; ${hint}`, { subject: name, alternatives });
}

/** The alternative a typing slip away from `name`, if there is one. */
export function didYouMean(name: string, alternatives: readonly string[]): string | undefined {
  if (alternatives.length === 0 || name === '') return undefined;
  const lower = name.toLowerCase();
  const exact = alternatives.find((candidate) => candidate.toLowerCase() === lower);
  if (exact !== undefined) return exact;
  // Names come from model files: the cost of the comparison is bounded by cutting them.
  const cut = (text: string) => text.slice(0, 200).toLowerCase();
  const guess = closest(cut(name), alternatives.map(cut));
  const index = alternatives.findIndex((candidate) => cut(candidate) === guess);
  const shared = commonPrefix(guess, cut(name));
  const slip = editsBound(name);
  return editDistance(guess, cut(name)) <= slip || shared >= Math.max(3, name.length - 2)
    ? alternatives[index]
    : undefined;
}

function editsBound(name: string): number {
  return Math.max(1, Math.floor(name.length / 3));
}

function commonPrefix(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

function oneLine(message: string): string {
  return message.replace(/\s*[\r\n]+\s*/g, ' ').trim();
}

/** Throws the `aborted` error if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal);
}

/** The `aborted` error, carrying the signal's reason as its cause. */
export function abortedError(signal: AbortSignal): UnitscopeError {
  return new UnitscopeError('aborted', 'aborted by the caller', { cause: signal.reason });
}
