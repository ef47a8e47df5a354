import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '@unitscope/tensor';

export const shared = fileURLToPath(new URL('../../../../../shared/', import.meta.url));

interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: number[];
  readonly file: string;
}

export interface Golden {
  readonly manifest: {
    readonly categories: string[];
    readonly labels_per_category: number[];
    readonly label_base: Record<string, number>;
  };
  readonly floats: (name: string) => Tensor;
  readonly ints: (name: string) => Tensor<Int32Array>;
  readonly doubles: (name: string) => Float64Array;
}

/** The named golden, or undefined with a line on the console where it is missing. */
export function readGolden(folder: string): Golden | undefined {
  const path = `${shared}goldens/${folder}/`;
  if (!existsSync(`${path}manifest.json`)) {
    console.warn(`tests against ${path} are skipped: it is missing`);
    return undefined;
  }
  const manifest: Golden['manifest'] & { tensors: Entry[] } = JSON.parse(
    readFileSync(`${path}manifest.json`, 'utf8'),
  );
  const bytesOf = (name: string) => {
    const entry = manifest.tensors.find((tensor) => tensor.name === name);
    if (entry === undefined) throw new Error(`${folder} holds no ${name}`);
    return { dims: entry.shape, buffer: Uint8Array.from(readFileSync(path + entry.file)).buffer };
  };
  return {
    manifest,
    floats: (name) => {
      const { dims, buffer } = bytesOf(name);
      return { dims, data: new Float32Array(buffer) };
    },
    ints: (name) => {
      const { dims, buffer } = bytesOf(name);
      return { dims, data: new Int32Array(buffer) };
    },
    doubles: (name) => new Float64Array(bytesOf(name).buffer),
  };
}
