import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ReferenceTensor } from '@unitscope/onnx';
import { sizeOf } from '@unitscope/tensor';

const folder = fileURLToPath(new URL('../../../../../shared/goldens/ops/', import.meta.url));

/** Whether the golden cases of single operators are there; says so where they are not. */
export const hasGoldens = existsSync(`${folder}manifest.json`);
if (!hasGoldens) console.warn('skipped: the golden cases ../shared/goldens/ops are missing');

export interface GoldenCase {
  readonly name: string;
  readonly op: string;
  readonly [parameter: string]: unknown;
}

interface Manifest {
  readonly cases: readonly GoldenCase[];
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly file: string;
  }[];
}

const manifest: Manifest = hasGoldens
  ? JSON.parse(readFileSync(`${folder}manifest.json`, 'utf8'))
  : { cases: [], tensors: [] };

/** The golden cases of one operator. */
export function goldenCases(operator: string): readonly GoldenCase[] {
  return manifest.cases.filter(({ op }) => op === operator);
}

/** A golden tensor such as `conv0.x`, in double precision. */
export function golden(name: string): ReferenceTensor {
  const entry = manifest.tensors.find((tensor) => tensor.name === name);
  if (entry === undefined) throw new Error(`no golden tensor ${name}`);
  const bytes = readFileSync(`${folder}${entry.file}`);
  const { buffer } = new Uint8Array(bytes);
  const types: Record<string, (raw: ArrayBuffer) => Float64Array> = {
    float32: (raw) => Float64Array.from(new Float32Array(raw)),
    float64: (raw) => new Float64Array(raw),
    int32: (raw) => Float64Array.from(new Int32Array(raw)),
  };
  const data = types[entry.dtype]!(buffer);
  if (data.length !== sizeOf(entry.shape)) throw new Error(`golden tensor ${name} has the wrong size`);
  return { dims: entry.shape, data };
}
