import { type Composite, deconvnet } from '@unitscope/autodiff';
import type { Layer, Model, Progress, ReceptiveField, UnitPlace } from '@unitscope/model';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import { gradientMethod } from '../methods/gradient.js';
import { deconvnetMethod, guidedBackpropMethod } from '../methods/rectifying.js';
import { type FieldWindow, fieldWindow, type Window } from './field-window.js';

/** What carries one activation back to the pixels, the deconvnet of the paper first. */
export const projectionMethods = [deconvnetMethod, guidedBackpropMethod, gradientMethod] as const;

/** One activation of a layer, carried back to the picture. */
export interface Projection {
  readonly unit: number;
  /** Row and column of the activation in the unit's map, 0-based. */
  readonly position: readonly [number, number];
  readonly activation: number;
  /** What it sees of the picture. */
  readonly field: FieldWindow;
  /** [C, height, width] of the field's frame; 0 beyond the picture. */
  readonly patch: Tensor;
  /**
   * How much of the signal, in sums of magnitudes, lies outside the field, from 0 to 1: 0 but for gates and
   * normalisations, which see the whole map.
   */
  readonly outside: number;
}

export interface ProjectOptions {
  /** Rules by which the signal goes back, those of a method of `projectionMethods`; the deconvnet by default. */
  readonly composite?: Composite;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: Progress) => void;
}

/**
 * Feature-map projection (Zeiler and Fergus 2014): of each picture the single strongest activation of a unit, everything
 * else in the layer zero, carried back to the pixels and cut to its receptive field. The deconvnet starts with the
 * activation itself, the other methods with 1; of equal activations the first in row-major order counts.
 *
 * @param batch [N, C, H, W] as the network takes it
 * @param layer a layer that gives maps: the name of its node or value, or `last-conv`
 * @param units of each picture the unit to project, a channel of the layer, at the place where it is strongest or at a
 *   given one. All pictures of a batch are of one kind.
 *
 * Throws `not-found` for a layer, unit or place that is not there, `wrong-use` for a number of units that is not that of
 * the pictures, `unsupported` for a layer whose units have no place in the picture, and as `Pullback.run`.
 */
export async function projectUnits(
  model: Model,
  layer: string,
  batch: Tensor,
  units: readonly (number | UnitPlace)[],
  { composite = deconvnet, signal, onProgress }: ProjectOptions = {},
): Promise<{ readonly projections: readonly Projection[]; readonly notes: readonly string[] }> {
  const found = model.layer(layer);
  const receptiveField = receptiveFieldOf(found);
  const { name } = found;
  const places = units.some((unit) => typeof unit === 'object');
  const pullback = await model.pullback(
    { kind: 'unit', layer: name, position: places ? 'given' : 'max' },
    { composite },
  );
  const result = await pullback.run(batch, units, {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const { signal: map, score, position, target, notes } = result;
  const projections = Array.from({ length: batch.dims[0]! }, (_, i): Projection => {
    const at = position![i]!;
    const field = fieldWindow(receptiveField, at, [batch.dims[2]!, batch.dims[3]!]);
    return { unit: target![i]!, position: at, activation: score!.data[i]!, field, ...cut(map, i, field) };
  });
  return { projections, notes };
}

/** What the units of a layer see. Throws `unsupported`, naming the layer, where they have no place in the picture. */
export function receptiveFieldOf({ name, receptiveField }: Layer): ReceptiveField {
  if (receptiveField !== undefined) return receptiveField;
  throw new UnitscopeError(
    'unsupported',
    `layer ${name} gives no maps, or lies behind an operator that is not local: its units have no place in the picture; ` +
      'choose a convolution, a ReLU or a pooling',
    { subject: name },
  );
}

/** The part of sample `i` of a signal that lies in the field. */
function cut(
  { dims, data }: Tensor,
  i: number,
  { frame, inside }: FieldWindow,
): Pick<Projection, 'patch' | 'outside'> {
  const [, channels = 0, height = 0, width = 0] = dims;
  const plane = height * width;
  const patch = new Float32Array(channels * frame.height * frame.width);
  for (let channel = 0; channel < channels; channel++) {
    for (let y = inside.top; y < inside.top + inside.height; y++) {
      const from = (i * channels + channel) * plane + y * width + inside.left;
      const to = offsetIn(frame, channel, y, inside.left);
      patch.set(data.subarray(from, from + inside.width), to);
    }
  }
  const all = sumOfMagnitudes(data.subarray(i * channels * plane, (i + 1) * channels * plane));
  // Never below 0 by rounding: a sum over a part in another order may come out larger.
  const outside = all === 0 ? 0 : Math.max(0, 1 - sumOfMagnitudes(patch) / all);
  return { patch: { dims: [channels, frame.height, frame.width], data: patch }, outside };
}

function offsetIn({ top, left, height, width }: Window, channel: number, y: number, x: number): number {
  return (channel * height + (y - top)) * width + (x - left);
}

function sumOfMagnitudes(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += Math.abs(value);
  return sum;
}
