import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Tensor, TensorData } from '@unitscope/tensor';

const ROOT = fileURLToPath(new URL('../../../../shared/goldens/', import.meta.url));

export const goldensAreThere = existsSync(ROOT);
if (!goldensAreThere) {
  console.warn(`skipped: the goldens are not there (${ROOT})`);
}

/** A single operator: its name in ONNX and its attributes in the goldens' own words. */
export interface GoldenCase {
  readonly name: string;
  readonly op: string;
  readonly stride?: number | readonly number[];
  readonly pad?: number | readonly number[];
  readonly kernel?: number | readonly number[];
  readonly output_padding?: number | readonly number[];
  readonly dilation?: number;
  readonly groups?: number;
  readonly ceil?: boolean;
  readonly count_include_pad?: boolean;
  readonly align_corners?: boolean;
  readonly axis?: number;
  readonly transB?: number;
  readonly size?: number;
  readonly alpha?: number;
  readonly beta?: number;
  readonly bias?: number;
  readonly eps?: number;
  readonly min?: number;
  readonly max?: number;
}

interface Manifest {
  readonly cases?: readonly GoldenCase[];
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly file: string;
  }[];
}

/** One folder of goldens: its manifest, its model's bytes and its tensors by name. */
export class Golden {
  readonly folder: string;
  readonly manifest: Manifest;

  constructor(name: string) {
    this.folder = `${ROOT}${name}/`;
    this.manifest = JSON.parse(readFileSync(`${this.folder}manifest.json`, 'utf8'));
  }

  model(): Uint8Array {
    return new Uint8Array(readFileSync(`${this.folder}model.onnx`));
  }

  has(name: string): boolean {
    return this.manifest.tensors.some((entry) => entry.name === name);
  }

  tensor(name: string): Tensor<TensorData> {
    const entry = this.manifest.tensors.find((candidate) => candidate.name === name);
    if (entry === undefined) throw new Error(`no golden tensor ${name} in ${this.folder}`);
    // A copy, since a typed array must start at a multiple of its element size.
    const { buffer } = new Uint8Array(readFileSync(this.folder + entry.file));
    const types = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array };
    const type = types[entry.dtype as keyof typeof types];
    return { dims: entry.shape, data: new type(buffer) };
  }

  doubles(name: string): Tensor<Float64Array> {
    const { dims, data } = this.tensor(name);
    return { dims, data: Float64Array.from(data, Number) };
  }
}
