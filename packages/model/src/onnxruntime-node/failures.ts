import { loadFailure as failureOfLoad, runFailure as failureOfRun } from '@unitscope/kernels/runtime';
import type { UnitscopeError } from '@unitscope/tensor';
import type { Failure } from './protocol.js';

// Of an error only what follows crosses from thread to thread.

/** What went wrong while a graph was loaded. */
export function loadFailure(label: string, cause: unknown): Failure {
  return withoutError(failureOfLoad(label, cause));
}

/** What went wrong while a graph was run. */
export function runFailure(label: string, cause: unknown): Failure {
  return withoutError(failureOfRun(label, cause));
}

function withoutError({ code, message }: UnitscopeError): Failure {
  return { code, message };
}
