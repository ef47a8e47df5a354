import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ReferenceTensor } from '@unitscope/onnx';
import { sizeOf, type Tensor } from '@unitscope/tensor';

const folder = fileURLToPath(new URL('../../../../../shared/goldens/ops/', import.meta.url));

/** Whether the golden cases of single operators are there; says so where they are not. */
export const hasGoldens = existsSync(`${folder}manifest.json`);
if (!hasGoldens) console.warn('skipped: the golden cases ../shared/goldens/ops are missing');

/** A case of one operator; which parameters are there depends on the operator. */
export interface GoldenCase {
  readonly name: string;
  readonly op: string;
  readonly kernel?: number | readonly number[];
  readonly stride?: number | readonly number[];
  readonly pad?: number | readonly number[];
  readonly dilation?: number;
  readonly groups?: number;
  readonly output_padding?: number;
  readonly ceil?: boolean;
  readonly count_include_pad?: boolean;
  readonly transB?: number;
  readonly size?: number;
  readonly alpha?: number;
  readonly beta?: number;
  readonly bias?: number;
  readonly eps?: number;
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

/** A parameter that may be one number for both spatial axes. */
export function pairOf(value: number | readonly number[] = 0): readonly number[] {
  return typeof value === 'number' ? [value, value] : value;
}

/** A golden tensor in single precision. */
export function goldenFloat(name: string): Tensor {
  const { dims, data } = golden(name);
  return { dims, data: Float32Array.from(data) };
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
