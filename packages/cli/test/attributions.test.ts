import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { flatNetwork, tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const picture = folder.picture('noise.png').path;
const explain = ['explain', model, picture, '--preprocess', 'raw255'];

describe('methods of many passes', () => {
  it('record what they were made with, and how complete they are', async () => {
    const methods = ['integrated-gradients', 'smoothgrad', 'occlusion', 'grad-cam'];
    const record = await recordOf([
      ...[...explain, '--method', methods.join(',')],
      ...['--steps', '20', '--baseline', 'black', '--samples', '3', '--noise', '0.2', '--seed', '7'],
      ...['--window', '4,4', '--stride', '2,2', '--cam-layer', 'conv2'],
    ]);
    const [integrated, smooth, occlusion, cam] = record.explanations;
    expect(integrated.parameters).toEqual({ steps: 20, quadrature: 'gauss-legendre', baseline: [0, 0, 0] });
    expect(integrated.completeness[0].score).toBeCloseTo(record.samples[0].score, 4);
    expect(smooth.parameters).toEqual({ samples: 3, base: 'gradient', noise: 0.2, seed: 7 });
    expect(occlusion.parameters).toEqual({ baseline: [0, 0, 0], window: [4, 4], stride: [2, 2] });
    expect(cam.parameters).toEqual({ layer: 'conv2' });
    expect([occlusion.dims, cam.dims]).toEqual([
      [1, 1, 8, 8],
      [1, 1, 8, 8],
    ]);
  });

  it('LRP takes an epsilon', async () => {
    const { explanations } = await recordOf([...explain, '--method', 'lrp,lrp-epsilon', '--epsilon', '0.01']);
    expect(explanations.map(({ parameters }: { parameters: unknown }) => parameters)).toEqual([
      { epsilon: 0.01 },
      { epsilon: 0.01 },
    ]);
  });

  it('black is the preprocessing of a black picture', async () => {
    const args = ['explain', model, picture, '--method', 'integrated-gradients', '--baseline', 'black'];
    const { explanations } = await recordOf([...args, '--preprocess', 'imagenet']);
    const expected = [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225];
    expect(explanations[0].parameters.baseline).toEqual(expected.map((value) => expect.closeTo(value, 6)));
  });

  it('all are drawn side by side', async () => {
    const png = folder.at('all.png');
    const { code, err } = await unitscope([...explain, '--method', 'all', '--steps', '4', '--png', png]);
    expect([code, err]).toEqual([0, '']);
  });

  it('plan shows the first backward pass, and none for occlusion', async () => {
    const { out } = await unitscope([...explain, '--method', 'grad-cam,occlusion', '--plan']);
    expect(out).toContain('plan of grad-cam:');
    expect(out).not.toContain('plan of occlusion');
  });
});

describe('what cannot be', () => {
  it.each([
    [['--steps', '10'], 2, /--steps is about integrated-gradients; none of them was asked for/],
    [['--cam-layer', 'conv'], 2, /--cam-layer is about grad-cam, guided-grad-cam/],
    [
      ['--method', 'integrated-gradients', '--steps', '0'],
      2,
      /'0' is invalid. It must be a positive integer/,
    ],
    [['--method', 'occlusion', '--baseline', 'grey'], 2, /'grey' is invalid. It must be black or a number/],
    [['--method', 'vargrad', '--noise', 'much'], 2, /'much' is invalid. It must be a number of at least 0/],
    [['--method', 'vargrad', '--seed', '-1'], 2, /'-1' is invalid. It must be a whole number/],
    [['--method', 'occlusion', '--window', '9,9'], 2, /a window of 9x9 does not fit a picture of 8x8/],
    [['--method', 'lrp', '--epsilon', '0'], 2, /'0' is invalid. It must be a number above 0/],
    [['--method', 'gradient', '--epsilon', '1'], 2, /--epsilon is about lrp, lrp-epsilon/],
    [['--method', 'lrp', '--score', 'probability'], 2, /explain the score before the softmax/],
    [['--method', 'grad-cam', '--cam-layer', 'fc'], 2, /fc has dims .*Grad-CAM needs a layer with maps/],
    [['--method', 'grad-cam', '--cam-layer', 'conv3'], 1, /no layer "conv3"; did you mean/],
  ] as const)('%j', (args, code, line) => expectRefusal(folder, [...explain, ...args], code, line));

  it('Grad-CAM of a network without a convolution', async () => {
    const flat = await folder.model('flat.onnx', flatNetwork());
    const array = folder.array('ten.npy', { dims: [1, 10], data: new Float32Array(10) });
    const { code, err } = await unitscope(['explain', flat, array, '--method', 'grad-cam']);
    expect(code).not.toBe(0);
    expect(err).toMatch(/^unitscope: the network has no convolu.*\n$/);
  });
});
