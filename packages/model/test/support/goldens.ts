import { readFileSync } from 'node:fs';
import type { Tensor } from '@unitscope/tensor';
import { sharedFile } from './networks.js';

interface Manifest {
  readonly target_class: number;
  readonly cam_onnx_tensor: string;
  readonly tap_onnx_tensor: string;
  readonly neuron: readonly [number, number, number];
  readonly tensors: readonly { name: string; shape: readonly number[]; dtype: string; file: string }[];
  readonly f32_vs_f64: Readonly<Record<string, unknown>>;
}

/** A folder of goldens: a network and what float64 arithmetic gives for it. */
export class Golden {
  readonly manifest: Manifest;
  readonly modelFile: string;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.manifest = JSON.parse(readFileSync(`${folder}/manifest.json`, 'utf8'));
    this.modelFile = `${folder}/model.onnx`;
  }

  tensor(name: string): Tensor {
    const { shape, dtype, file } = this.manifest.tensors.find((entry) => entry.name === name)!;
    // A copy, since a typed array must start at a multiple of its element size.
    const { buffer } = new Uint8Array(readFileSync(`${this.#folder}/${file}`));
    return {
      dims: shape,
      data: dtype === 'float64' ? Float32Array.from(new Float64Array(buffer)) : new Float32Array(buffer),
    };
  }
}

export function golden(name: string): Golden | undefined {
  return sharedFile(`goldens/${name}/manifest.json`) === undefined
    ? undefined
    : new Golden(sharedFile(`goldens/${name}`)!);
}
