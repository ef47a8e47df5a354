import { UnitscopeError } from '@unitscope/tensor';

/** Where a model comes from: what to call it, and the folder its external data lies in, if it has one. */
export interface Source {
  readonly name: string;
  readonly folder: string | undefined;
}

/** The error for a file that is not what it should be. `why` names the thing inside the file. */
export function badFile(
  source: Source,
  why: string,
  remedy = 'export the model again or check it with onnx.checker',
): UnitscopeError {
  return new UnitscopeError('bad-file', `${source.name} is not a usable ONNX file: ${why}; ${remedy}`, {
    subject: source.name,
  });
}

/** A name out of a file, fit for a message: bounded and without control characters. */
export function quote(name: string): string {
  const cut = name.length > 80 ? `${name.slice(0, 80)}…` : name;
  return JSON.stringify(cut);
}
