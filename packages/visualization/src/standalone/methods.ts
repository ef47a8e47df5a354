import { type Composite, deconvnet, deconvolution, gradient, guidedBackprop } from '@unitscope/autodiff';
import type { Dim } from '@unitscope/onnx';
import { unknownName } from '@unitscope/tensor';
import type { MapForm } from '../methods/explain.js';
import type { GraphWriter } from './graph-writer.js';
import { writeNoise } from './noise.js';
import { gaussLegendre } from './quadrature.js';

export interface StandaloneParameters {
  /** Steps on the way from the baseline to the picture. */
  readonly steps: number;
  /** The baseline: a picture of this value everywhere, in the network's own units. */
  readonly baseline: number;
  /** Noisy copies of the picture. */
  readonly samples: number;
  /** Standard deviation of the noise, as a fraction of max - min of each picture. */
  readonly noise: number;
  readonly seed: number;
  /** The layer whose maps Grad-CAM weighs. */
  readonly camLayer: string;
}

export type ParameterName = keyof StandaloneParameters;

/** The file while a method writes into it. */
export interface Sketch {
  readonly writer: GraphWriter;
  /** The value of the picture, and its dims; all but the batch axis are numbers. */
  readonly picture: string;
  readonly dims: readonly Dim[];
  readonly parameters: StandaloneParameters;
  /** What arrives at the picture when the objective's signal goes back by the rules of a composite. */
  signal(composite: Composite): string;
  /** Activation of the Grad-CAM layer, [N, K, h, w], and the objective's gradient there. */
  camLayer(): { readonly activation: string; readonly gradient: string };
  /** The gradient at another picture, of what is explained of the picture itself. */
  stepGradient(body: GraphWriter, picture: string): string;
}

export interface StandaloneMethod {
  readonly name: string;
  readonly form: MapForm;
  /** The map in formulas, for the file's metadata. */
  readonly convention: string;
  readonly parameters: readonly ParameterName[];
  /** Writes the map. */
  readonly write: (sketch: Sketch) => string;
}

function bySignal(composite: Composite, convention: string): StandaloneMethod {
  return {
    name: composite.name,
    form: 'signed',
    convention,
    parameters: [],
    write: ({ signal }) => signal(composite),
  };
}

const SMOOTHING: readonly ParameterName[] = ['samples', 'noise', 'seed'];

/** The methods a file can hold; those of one pass as in `methods`. */
export const standaloneMethods: readonly StandaloneMethod[] = [
  bySignal(gradient, 'dS/dx'),
  {
    name: 'saliency-map',
    form: 'magnitude',
    convention: 'max over channels of |dS/dx|',
    parameters: [],
    write: ({ writer, signal }) =>
      writer.node('ReduceMax', [writer.node('Abs', [signal(gradient)]), writer.ints([1])]),
  },
  {
    name: 'input-times-gradient',
    form: 'signed',
    convention: 'x * dS/dx',
    parameters: [],
    write: ({ writer, picture, signal }) => writer.node('Mul', [picture, signal(gradient)]),
  },
  bySignal(guidedBackprop, 'R*(z>0)*(R>0) at every ReLU, the derivative elsewhere'),
  bySignal(
    deconvnet,
    'max(R,0) at every ReLU, switches, no local response normalisation, gates constant; units start with their activation',
  ),
  bySignal(deconvolution, 'max(R,0) at every ReLU, the derivative elsewhere'),
  {
    name: 'grad-cam',
    form: 'magnitude',
    convention: 'max(sum_k mean_hw(dS/dA_k) * A_k, 0), bilinear to the picture (half-pixel centres)',
    parameters: ['camLayer'],
    write: gradCam,
  },
  {
    name: 'guided-grad-cam',
    form: 'signed',
    convention: 'guided backpropagation times the Grad-CAM map',
    parameters: ['camLayer'],
    write: (sketch) => sketch.writer.node('Mul', [sketch.signal(guidedBackprop), gradCam(sketch)]),
  },
  {
    name: 'smoothgrad',
    form: 'signed',
    convention: 'mean over samples of dS/dx at x + n, n ~ N(0, (noise*(max x - min x))^2)',
    parameters: SMOOTHING,
    write: (sketch) => smoothed(sketch, (_, gradient) => gradient),
  },
  {
    name: 'smoothgrad-squared',
    form: 'signed',
    convention: 'mean over samples of (dS/dx)^2 at x + n, n ~ N(0, (noise*(max x - min x))^2)',
    parameters: SMOOTHING,
    write: (sketch) => smoothed(sketch, (body, gradient) => body.node('Mul', [gradient, gradient])),
  },
  {
    name: 'integrated-gradients',
    form: 'signed',
    convention: '(x-b) * integral over a in [0,1] of dS/dx at b+a(x-b), by Gauss-Legendre nodes',
    parameters: ['steps', 'baseline'],
    write: integrated,
  },
];

/** The method of that name; throws `wrong-use` with a guess at what was meant. */
export function standaloneMethodNamed(name: string): StandaloneMethod {
  const found = standaloneMethods.find((method) => method.name === name);
  if (found !== undefined) return found;
  throw unknownName(
    'method',
    name,
    standaloneMethods.map((method) => method.name),
    'wrong-use',
  );
}

/** Selvaraju et al. 2017, [N, 1, H, W]. Where nothing speaks for the class the map is zero; nothing is divided by. */
function gradCam({ writer, dims, camLayer }: Sketch): string {
  const { activation, gradient } = camLayer();
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
function smoothed(sketch: Sketch, term: (body: GraphWriter, gradient: string) => string): string {
  const { writer, picture, dims, parameters, stepGradient } = sketch;
  const { samples, noise, seed } = parameters;
  const axes = writer.ints(dims.slice(1).map((_, axis) => axis + 1));
  const [most, least] = ['ReduceMax', 'ReduceMin'].map((reduce) => writer.node(reduce, [picture, axes]));
  const range = writer.node('Sub', [most!, least!]);
  const deviation = writer.node('Mul', [range, writer.floats(noise)]);
  const draw = writeNoise(writer, { seed, samples, dims: dims.slice(1).map(Number) });
  const sum = writer.loop(
    samples,
    { type: 'float32', dims, start: zerosLike(writer, picture) },
    (body, index, before) => {
      const scaled = body.node('Mul', [draw(body, index), deviation]);
      const gradient = stepGradient(body, body.node('Add', [picture, scaled]));
      return body.node('Add', [before, term(body, gradient)]);
    },
  );
  return writer.node('Div', [sum, writer.floats(samples)]);
}

/** Sundararajan, Taly, Yan 2017: one step at a time. */
function integrated({ writer, picture, dims, parameters, stepGradient }: Sketch): string {
  const { steps, baseline } = parameters;
  const { nodes, weights } = gaussLegendre(steps);
  const from = writer.floats(baseline);
  const way = writer.node('Sub', [picture, from]);
  const [places, shares] = [writer.floats(nodes), writer.floats(weights)];
  const mean = writer.loop(
    steps,
    { type: 'float32', dims, start: zerosLike(writer, picture) },
    (body, index, before) => {
      const gone = body.node('Mul', [way, body.node('Gather', [places, index])]);
      const gradient = stepGradient(body, body.node('Add', [gone, from]));
      const share = body.node('Mul', [gradient, body.node('Gather', [shares, index])]);
      return body.node('Add', [before, share]);
    },
  );
  return writer.node('Mul', [way, mean]);
}

function zerosLike(writer: GraphWriter, value: string): string {
  return writer.node('ConstantOfShape', [writer.node('Shape', [value])]);
}
