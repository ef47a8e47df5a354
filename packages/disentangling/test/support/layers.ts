import type { Tensor } from '@unitscope/tensor';
import { InterpretableLayer, type InterpretableLayerOptions } from '../../src/index.js';

/** A strength that leaves gradients as they are. */
export const constant = { kind: 'constant', lambda: 1 } as const;

/** Labels, a row for each picture. */
export const labelled = (rows: readonly (readonly number[])[]): Tensor<Uint8Array> => ({
  dims: [rows.length, rows[0]!.length],
  data: Uint8Array.from(rows.flat()),
});

export const alternating = (batch: number) =>
  labelled(Array.from({ length: batch }, (_, image) => [image % 2]));

/** A layer for such maps. */
export const layerOf = ({ dims }: Tensor, options: InterpretableLayerOptions = {}) =>
  new InterpretableLayer({ channels: dims[1]!, height: dims[2]!, width: dims[3]! }, options);
