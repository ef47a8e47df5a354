import { trainableParameters } from '@unitscope/autodiff';
import type { Tensors } from '@unitscope/model';
import type { Dim, Graph, Initializer, ValueInfo } from '@unitscope/onnx';
import { releaseData, type Tensor, UnitscopeError, unknownName } from '@unitscope/tensor';
import { type Optimizer, type Parameter, slotsOf } from './optimizer.js';
import type { TrainingTerm } from './term.js';
import { factorsOf, matches, type TrainerOptions } from './trainer-options.js';

// What a trainer is put together from, and its errors.

export function labelOf({ name }: Graph): string {
  return name === '' ? 'the network' : name;
}

/** The input's dims with a free batch axis and the size asked for. */
export function trainedDims(
  graph: Graph,
  { name, dims = [] }: ValueInfo,
  size: readonly [number, number] | undefined,
): readonly Dim[] {
  const [batch, ...rest] = dims;
  const asked = size === undefined ? rest : [...rest.slice(0, -2), ...size];
  const open = asked.find((dim) => typeof dim !== 'number');
  if (open !== undefined) {
    throw new UnitscopeError(
      'wrong-use',
      `${labelOf(graph)} takes ${name} of any size; give its height and width`,
      {
        subject: name,
      },
    );
  }
  return [typeof batch === 'string' && batch !== '' ? batch : 'N', ...asked];
}

export function chosenParameters(
  graph: Graph,
  scores: string,
  patterns: readonly string[] | undefined,
): string[] {
  const known = trainableParameters(graph, scores);
  if (patterns === undefined) {
    if (known.length > 0) return known;
    throw new UnitscopeError('unsupported', `${labelOf(graph)} has no parameters that could be trained`);
  }
  const chosen = new Set<string>();
  for (const pattern of patterns) {
    const found = known.filter((name) => matches(pattern, name));
    // An initializer that is no parameter by default may still be named in full.
    if (found.length === 0 && graph.initializers.has(pattern)) found.push(pattern);
    if (found.length === 0) throw unknownName('parameter', pattern, known);
    for (const name of found) chosen.add(name);
  }
  return [...chosen];
}

export function requireDistinct(terms: readonly TrainingTerm[]): void {
  const names = terms.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new UnitscopeError('wrong-use', `two terms are called "${twice}"`, { subject: twice });
  }
}

export function copyOf({ dims, data, name }: Initializer): Tensor {
  if (!(data instanceof Float32Array)) throw notFloat(name);
  return { dims, data: data.slice() };
}

export function parameterOf(
  initializer: Initializer,
  optimizer: Optimizer,
  factors: NonNullable<TrainerOptions['factors']>,
): Parameter {
  const { name } = initializer;
  const { dims, data } = copyOf(initializer);
  const { rate, decay } = factorsOf(name, factors);
  const slots = new Map(slotsOf(optimizer).map((slot) => [slot, new Float32Array(data.length)]));
  return { name, dims, weights: data, slots, rateFactor: rate, decayFactor: decay };
}

export function release(results: Tensors): void {
  for (const { data } of Object.values(results)) releaseData(data);
}

export function notFloat(name: string): UnitscopeError {
  return new UnitscopeError('unsupported', `${name} is not float32`, { subject: name });
}

export function diverged(loss: number, step: number, rate: number): UnitscopeError {
  const shown = Number.isNaN(loss) ? 'NaN' : 'infinite';
  return new UnitscopeError(
    'bad-input',
    `training has diverged: the loss is ${shown} at step ${step}, learning rate ${rate}; lower the learning rate, to ${
      rate / 10
    } for a start`,
    { subject: 'learningRate' },
  );
}
