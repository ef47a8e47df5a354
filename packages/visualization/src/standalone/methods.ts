import { type Composite, deconvnet, deconvolution, gradient, guidedBackprop } from '@unitscope/autodiff';
import { unknownName } from '@unitscope/tensor';
import { quadrature } from '../methods/quadrature.js';
import type { GraphWriter } from './graph-writer.js';
import { writeNoise } from './noise.js';
import type { Sketch } from './sketch.js';

export interface StandaloneParameters {
  /** Steps of integrated gradients on the way from the baseline to the picture. */
  readonly steps: number;
  /** Where the way begins: one number everywhere or one for each channel, in the units of the network's input. */
  readonly baseline: number | readonly number[];
  /** Noisy copies of SmoothGrad. */
  readonly samples: number;
  /** Standard deviation of the noise, as a part of each picture's largest value minus its smallest. */
  readonly noise: number;
  readonly seed: number;
  /** The layer whose maps Grad-CAM weighs. */
  readonly layer: string;
}

export type ParameterName = keyof StandaloneParameters;

/** A method that a file can hold; the one of the same name in `methods` says what it shows. */
export interface StandaloneMethod {
  readonly name: string;
  /** The map in formulas, for the file's metadata. */
  readonly convention: string;
  /** The parameters it reads. */
  readonly reads: readonly ParameterName[];
  /** Whether the map is [N, 1, H, W]. */
  readonly oneChannel: boolean;
  /** Writes the map and gives its value's name. */
  readonly write: (sketch: Sketch, parameters: StandaloneParameters) => string;
}

const NOISY: readonly ParameterName[] = ['samples', 'noise', 'seed'];

/** The methods that a file can hold. */
export const standaloneMethods: readonly StandaloneMethod[] = [
  bySignal(gradient, 'dS/dx'),
  {
    name: 'saliency-map',
    convention: 'max over channels of |dS/dx|',
    reads: [],
    oneChannel: true,
    write: (sketch) => {
      const { writer } = sketch;
      return writer.node('ReduceMax', [writer.node('Abs', [sketch.signal(gradient)]), writer.ints([1])]);
    },
  },
  {
    name: 'input-times-gradient',
    convention: 'x * dS/dx',
    reads: [],
    oneChannel: false,
    write: (sketch) => sketch.writer.node('Mul', [sketch.picture, sketch.signal(gradient)]),
  },
  {
    name: 'integrated-gradients',
    convention: '(x-b) * integral over a in [0,1] of dS/dx at b+a(x-b), by Gauss-Legendre nodes',
    reads: ['steps', 'baseline'],
    oneChannel: false,
    write: integrated,
  },
  {
    name: 'smoothgrad',
    convention: 'mean over samples of dS/dx at x + n, n ~ N(0, (noise*(max x - min x))^2)',
    reads: NOISY,
    oneChannel: false,
    write: (sketch, parameters) => smoothed(sketch, parameters, (_, gradient) => gradient),
  },
  {
    name: 'smoothgrad-squared',
    convention: 'mean over samples of (dS/dx)^2 at x + n, n ~ N(0, (noise*(max x - min x))^2)',
    reads: NOISY,
    oneChannel: false,
    write: (sketch, parameters) =>
      smoothed(sketch, parameters, (body, gradient) => body.node('Mul', [gradient, gradient])),
  },
  bySignal(guidedBackprop, 'R*(z>0)*(R>0) at every ReLU, the derivative elsewhere'),
  bySignal(
    deconvnet,
    'max(R,0) at every ReLU, switches, no local response normalisation, gates constant; units start with their activation',
  ),
  bySignal(deconvolution, 'max(R,0) at every ReLU, the derivative elsewhere'),
  {
    name: 'grad-cam',
    convention: 'max(sum_k mean_hw(dS/dA_k) * A_k, 0), bilinear to the picture (half-pixel centres)',
    reads: ['layer'],
    oneChannel: true,
    write: gradCam,
  },
  {
    name: 'guided-grad-cam',
    convention: 'guided backpropagation times the Grad-CAM map',
    reads: ['layer'],
    oneChannel: false,
    write: (sketch) => sketch.writer.node('Mul', [sketch.signal(guidedBackprop), gradCam(sketch)]),
  },
];

/** The method of that name; throws `wrong-use` with a guess at what was meant. */
export function standaloneMethodNamed(name: string): StandaloneMethod {
  const found = standaloneMethods.find((method) => method.name === name);
  if (found !== undefined) return found;
  const names = standaloneMethods.map((method) => method.name);
  throw unknownName('method that a file can hold', name, names, 'wrong-use');
}

function bySignal(composite: Composite, convention: string): StandaloneMethod {
  return {
    name: composite.name,
    convention,
    reads: [],
    oneChannel: false,
    write: (sketch) => sketch.signal(composite),
  };
}

/** Selvaraju et al. 2017, [N, 1, H, W]. Where nothing speaks for the class the map is zero; nothing is divided by. */
function gradCam(sketch: Sketch): string {
  const { writer, dims } = sketch;
  const { activation, gradient } = sketch.camLayer();
  const weights = writer.node('ReduceMean', [gradient, writer.ints([2, 3])]);
  const weighed = writer.node('Mul', [weights, activation]);
  const map = writer.node('Relu', [writer.node('ReduceSum', [weighed, writer.ints([1])])]);
  const size = writer.ints(dims.slice(2).map(Number));
  return writer.node('Resize', [map, '', '', size], {
    mode: 'linear',
    coordinate_transformation_mode: 'half_pixel',
    axes: [2, 3],
  });
}

/** Smilkov et al. 2017: one noisy copy at a time, so that memory is that of one backward pass. */
function smoothed(
  sketch: Sketch,
  { samples, noise, seed }: StandaloneParameters,
  term: (body: GraphWriter, gradient: string) => string,
): string {
  const { writer, picture, dims } = sketch;
  const sample = dims.slice(1).map(Number);
  const axes = writer.ints(sample.map((_, axis) => axis + 1));
  const range = writer.node('Sub', [
    writer.node('ReduceMax', [picture, axes]),
    writer.node('ReduceMin', [picture, axes]),
  ]);
  const deviation = writer.node('Mul', [range, writer.floats(noise)]);
  const draw = writeNoise(writer, { seed, samples, dims: sample });
  const sum = writer.sum(samples, { dims, like: picture }, (body, index) => {
    const scaled = body.node('Mul', [draw(body, index), deviation]);
    return term(body, sketch.stepGradient(body, body.node('Add', [picture, scaled])));
  });
  return writer.node('Div', [sum, writer.floats(samples)]);
}

/** Sundararajan, Taly, Yan 2017: one step at a time. */
function integrated(sketch: Sketch, { steps, baseline }: StandaloneParameters): string {
  const { writer, picture, dims } = sketch;
  const { nodes, weights } = quadrature('gauss-legendre', steps);
  const from =
    typeof baseline === 'number'
      ? writer.floats(baseline)
      : writer.floats(baseline, [1, baseline.length, ...dims.slice(2).map(() => 1)]);
  const way = writer.node('Sub', [picture, from]);
  const [places, shares] = [writer.floats(nodes), writer.floats(weights)];
  const mean = writer.sum(steps, { dims, like: picture }, (body, index) => {
    const gone = body.node('Mul', [way, body.node('Gather', [places, index])]);
    const gradient = sketch.stepGradient(body, body.node('Add', [gone, from]));
    return body.node('Mul', [gradient, body.node('Gather', [shares, index])]);
  });
  return writer.node('Mul', [way, mean]);
}
