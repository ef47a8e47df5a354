import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '@unitscope/tensor';

const shared = fileURLToPath(new URL('../../../../../shared/', import.meta.url));

/** Where a file of the shared test data is, or undefined, with a line that says so, where there is none. */
export function sharedFile(path: string): string | undefined {
  if (existsSync(`${shared}${path}`)) return `${shared}${path}`;
  console.warn(`SKIPPED: ../shared/${path} is missing`);
  return undefined;
}

interface Manifest {
  readonly beta: number;
  readonly tau: number;
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly file: string;
  }[];
}

/** The arrays of a folder of goldens, in float64. */
export class Golden {
  readonly manifest: Manifest;
  readonly #folder: string;

  constructor(name: string) {
    this.#folder = `${shared}goldens/${name}`;
    this.manifest = JSON.parse(readFileSync(`${this.#folder}/manifest.json`, 'utf8'));
  }

  read(name: string): Tensor<Float64Array> {
    const entry = this.manifest.tensors.find((tensor) => tensor.name === name);
    if (entry === undefined) throw new Error(`the goldens hold no ${name}`);
    const { buffer } = Uint8Array.from(readFileSync(`${this.#folder}/${entry.file}`));
    const types = { float64: Float64Array, float32: Float32Array, int32: Int32Array };
    const type = types[entry.dtype as keyof typeof types];
    return { dims: entry.shape, data: Float64Array.from(new type(buffer)) };
  }
}

/** A worked example of the specification. */
export function readExample(name: string) {
  return JSON.parse(readFileSync(`${shared}spec/${name}`, 'utf8'));
}
