import { findScore } from '@unitscope/autodiff';
import type { Coefficients, Model } from '@unitscope/model';
import { type Dim, inferShapes } from '@unitscope/onnx';
import { sizeOf, type Tensor, UnitscopeError, zeros } from '@unitscope/tensor';

/**
 * What a picture is to raise. Every kind is a fixed linear function of the network's values, so sums of them, over
 * layers too, take one forward and one backward pass.
 *
 * - `class`: the score of a class before the softmax
 * - `unit`: a channel of a layer at a position, by default the middle of its map (size / 2, rounded down)
 * - `channel`: the mean of a channel over its map
 * - `direction`: the activations times a vector over the channels, as the mean over the map (the default) or at a
 *   position; the vector is taken as it is, its length included
 * - `sum`: weighted objectives; a negative weight lowers one
 */
export type AscentObjective =
  | { readonly kind: 'class'; readonly target: number; readonly output?: string }
  | {
      readonly kind: 'unit';
      readonly layer: string;
      readonly channel: number;
      readonly position?: readonly [row: number, column: number] | 'centre';
    }
  | { readonly kind: 'channel'; readonly layer: string; readonly channel: number }
  | {
      readonly kind: 'direction';
      readonly layer: string;
      readonly direction: ArrayLike<number>;
      readonly position?: readonly [row: number, column: number] | 'mean';
    }
  | {
      readonly kind: 'sum';
      readonly terms: readonly { readonly weight: number; readonly objective: AscentObjective }[];
    };

/** The objectives of a batch, one for each sample, as what a linear pullback is made of and run with. */
export interface LinearObjective {
  readonly layers: readonly string[];
  readonly coefficients: Coefficients;
}

/**
 * The coefficients of a batch of objectives.
 *
 * @param size height and width of the network's input
 *
 * Throws `not-found` for a layer, class, channel or position that is not there, `wrong-use` for a direction of another
 * length, for numbers that are not finite and for sums of nothing.
 */
export function linearObjective(
  model: Model,
  objectives: readonly AscentObjective[],
  size: readonly [height: number, width: number],
): LinearObjective {
  if (objectives.length === 0) throw new UnitscopeError('wrong-use', 'name at least one objective to raise');
  const [, channels = 3] = model.input.dims ?? [];
  const shapes = inferShapes(model.graph, { inputs: { [model.input.name]: [1, channels, ...size] } });
  const coefficients = new Map<string, Tensor>();
  const place = (value: string, sample: number): Place => {
    const sizes = sizesOf(value, shapes.dims(value));
    const known = coefficients.get(value);
    const tensor = known ?? zeros([objectives.length, ...sizes]);
    if (known === undefined) coefficients.set(value, tensor);
    const length = sizeOf(sizes);
    const [count = 1, height = 1, width = 1] = sizes;
    return {
      value,
      data: tensor.data.subarray(sample * length, (sample + 1) * length),
      ...{ channels: count, height, width, positions: length / count },
    };
  };
  const placeOf = (layer: string, sample: number) => place(model.layer(layer).value, sample);
  const add = (objective: AscentObjective, weight: number, sample: number): void => {
    if (!Number.isFinite(weight)) throw new UnitscopeError('wrong-use', `a weight cannot be ${weight}`);
    switch (objective.kind) {
      case 'class':
        addClass(place(scoreOf(model, objective.output), sample), objective.target, weight);
        break;
      case 'unit':
        addUnit(placeOf(objective.layer, sample), objective, weight);
        break;
      case 'channel':
        addChannel(placeOf(objective.layer, sample), objective, weight);
        break;
      case 'direction':
        addDirection(placeOf(objective.layer, sample), objective, weight);
        break;
      case 'sum':
        if (objective.terms.length === 0)
          throw new UnitscopeError('wrong-use', 'a sum needs at least one term');
        for (const term of objective.terms) add(term.objective, weight * term.weight, sample);
    }
  };
  for (const [sample, objective] of objectives.entries()) add(objective, 1, sample);
  return { layers: [...coefficients.keys()], coefficients };
}

/** `class 3`, `unit 5 of conv4 at 3,4`, `0.5 x channel 3 of conv4 - 1 x class 2`. */
export function describeObjective(objective: AscentObjective): string {
  switch (objective.kind) {
    case 'class':
      return `class ${objective.target}`;
    case 'unit': {
      const { layer, channel, position = 'centre' } = objective;
      return `unit ${channel} of ${layer} ${position === 'centre' ? 'in the middle' : `at ${position.join(',')}`}`;
    }
    case 'channel':
      return `channel ${objective.channel} of ${objective.layer}`;
    case 'direction': {
      const { layer, position = 'mean' } = objective;
      return `a direction of ${layer}${position === 'mean' ? '' : ` at ${position.join(',')}`}`;
    }
    case 'sum':
      return objective.terms
        .map((term) => `${term.weight} x ${describeObjective(term.objective)}`)
        .join(' + ');
  }
}

/** The coefficients of one sample at one value. */
interface Place {
  readonly value: string;
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly positions: number;
}

function addClass(place: Place, target: number, weight: number): void {
  if (place.positions !== 1) {
    throw new UnitscopeError(
      'unsupported',
      `${place.value} has a map for every class; raise a channel of it instead`,
      { subject: place.value },
    );
  }
  place.data[numbered(target, place.channels, 'class', 'classes', 'the network')]! += weight;
}

function addUnit(
  place: Place,
  { channel, position = 'centre' }: Extract<AscentObjective, { kind: 'unit' }>,
  weight: number,
): void {
  const unit = numbered(channel, place.channels, 'unit', 'units', place.value);
  place.data[unit * place.positions + flatPosition(place, position)]! += weight;
}

function addChannel(
  place: Place,
  { channel }: Extract<AscentObjective, { kind: 'channel' }>,
  weight: number,
): void {
  const from = numbered(channel, place.channels, 'channel', 'channels', place.value) * place.positions;
  for (let i = 0; i < place.positions; i++) place.data[from + i]! += weight / place.positions;
}

function addDirection(
  place: Place,
  { direction, position = 'mean' }: Extract<AscentObjective, { kind: 'direction' }>,
  weight: number,
): void {
  const { value, channels, positions, data } = place;
  if (direction.length !== channels) {
    throw new UnitscopeError(
      'wrong-use',
      `the direction has ${direction.length} numbers, ${value} has ${channels} channels; give one for each`,
      { subject: value },
    );
  }
  for (let channel = 0; channel < channels; channel++) {
    const along = direction[channel]!;
    if (!Number.isFinite(along)) {
      throw new UnitscopeError('wrong-use', `number ${channel} of the direction is ${along}`);
    }
    const from = channel * positions;
    if (position !== 'mean') data[from + flatPosition(place, position)]! += weight * along;
    else for (let i = 0; i < positions; i++) data[from + i]! += (weight * along) / positions;
  }
}

function flatPosition(
  { value, height, width }: Place,
  position: readonly [number, number] | 'centre',
): number {
  const [row, column] = position === 'centre' ? [Math.floor(height / 2), Math.floor(width / 2)] : position;
  const inside = Number.isInteger(row) && Number.isInteger(column) && row >= 0 && column >= 0;
  if (inside && row < height && column < width) return row * width + column;
  throw new UnitscopeError(
    'not-found',
    `no position [${row}, ${column}] in ${value}; its map is [${height}, ${width}], counted from 0`,
  );
}

function numbered(given: number, count: number, kind: string, kinds: string, owner: string): number {
  if (Number.isInteger(given) && given >= 0 && given < count) return given;
  throw new UnitscopeError('not-found', `no ${kind} ${given}; ${owner} has the ${kinds} 0 to ${count - 1}`, {
    subject: String(given),
  });
}

function scoreOf(model: Model, output: string | undefined): string {
  const score = findScore(model.graph, output);
  if (score !== undefined) return score.logits;
  throw new UnitscopeError('not-found', `the network has no output ${output ?? ''} of class scores`);
}

function sizesOf(value: string, dims: readonly Dim[] | undefined): number[] {
  const sizes = dims?.slice(1) ?? [];
  const known = sizes.filter((dim) => typeof dim === 'number');
  if (known.length > 0 && known.length === sizes.length) return known;
  throw new UnitscopeError('unsupported', `the dims of ${value} are not known: [${dims?.join(', ') ?? ''}]`, {
    subject: value,
  });
}
