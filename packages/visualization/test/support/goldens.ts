import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tensor, TensorData } from '@unitscope/tensor';
import { expect } from 'vitest';

const folder = fileURLToPath(new URL('../../../../../shared/goldens', import.meta.url));

/** Whether the goldens lie beside the checkout; says so once where they do not. */
export function goldensAreThere(): boolean {
  if (existsSync(folder)) return true;
  console.warn('SKIPPED: ../shared/goldens is not there, the methods are not compared with goldens');
  return false;
}

interface Manifest {
  readonly tensors: readonly { name: string; dtype: string; shape: number[]; file: string }[];
  readonly f32_vs_f64?: Readonly<Record<string, { f32_rel_to_max: number }>>;
  readonly target_class?: number;
  readonly tap_onnx_tensor?: string;
  readonly cam_onnx_tensor?: string;
  readonly neuron?: readonly [number, number, number];
  readonly occlusion_window?: readonly [number, number, number];
  readonly occlusion_stride?: readonly [number, number, number];
  readonly cases?: readonly { readonly target: number }[];
  readonly model_file?: string;
  readonly images?: readonly string[];
}

export class Golden {
  readonly name: string;
  readonly manifest: Manifest;

  constructor(name: string) {
    this.name = name;
    this.manifest = JSON.parse(readFileSync(join(folder, name, 'manifest.json'), 'utf8'));
  }

  get model(): string {
    return join(folder, this.name, this.manifest.model_file ?? 'model.onnx');
  }

  has(tensor: string): boolean {
    return this.manifest.tensors.some(({ name }) => name === tensor);
  }

  read(tensor: string): Tensor<TensorData> {
    const entry = this.manifest.tensors.find(({ name }) => name === tensor);
    if (entry === undefined) throw new Error(`golden ${this.name} has no ${tensor}`);
    const { buffer } = new Uint8Array(readFileSync(join(folder, this.name, entry.file)));
    const data = entry.dtype === 'float64' ? new Float64Array(buffer) : new Float32Array(buffer);
    return { dims: entry.shape, data };
  }

  input(tensor = 'input'): Tensor {
    const { dims, data } = this.read(tensor);
    return { dims, data: Float32Array.from(data as Float32Array) };
  }

  /**
   * The tolerance the goldens come with: every element within max(1e-4, 4 x torch's own float32 error) of the largest,
   * and a bound on the relative L2 error.
   */
  expectEqual(actual: Tensor, tensor: string, relativeL2: number): void {
    const expected = this.read(tensor);
    const values = expected.data as Float32Array;
    expect(actual.data.length).toBe(values.length);
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const own = this.manifest.f32_vs_f64?.[tensor]?.f32_rel_to_max ?? 0;
    let [worst, difference, norm] = [0, 0, 0];
    for (const [i, value] of values.entries()) {
      const error = Math.abs(actual.data[i]! - value);
      worst = Math.max(worst, error);
      difference += error ** 2;
      norm += value ** 2;
    }
    // A deconvolution can lose its whole signal: then nothing may arrive with us either.
    if (scale === 0) {
      expect(worst, `${this.name} ${tensor}: all zero`).toBe(0);
      return;
    }
    expect(worst / scale, `${this.name} ${tensor}: worst element`).toBeLessThan(Math.max(1e-4, 4 * own));
    expect(Math.sqrt(difference / norm), `${this.name} ${tensor}: relative L2`).toBeLessThan(relativeL2);
  }
}
