import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Model } from '@unitscope/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONFIGURATIONS } from '../../model/test/support/engines.js';
import { COLOR_MATRIX, toColors } from '../src/ascent/color.js';
import { FourierPlanes, frequenciesOf } from '../src/ascent/fourier.js';
import { ascend, normalisedAscent } from '../src/index.js';
import { Golden, goldensAreThere } from './support/goldens.js';

const NAMES = ['mini_alexnet', 'mini_vgg11', 'mini_resnet18', 'mobilenet_v2_035', 'opzoo'];
const cases = NAMES.flatMap((name) => CONFIGURATIONS.map((configuration) => ({ name, ...configuration })));

describe.skipIf(!goldensAreThere()).each(cases)(
  'ascent on $name on $engine, lowering $lowering',
  ({ name, engine, lowering }) => {
    let golden: Golden;
    let model: Model;
    beforeAll(async () => {
      golden = new Golden(name);
      model = await Model.load(golden.model, { engine, lowering });
    });
    afterAll(() => model.close());

    it('eight normalised steps on the mean of a channel', async () => {
      const { input, curve, steps } = await ascend(
        model,
        { kind: 'channel', layer: golden.manifest.tap_onnx_tensor!, channel: golden.manifest.neuron![0] },
        {
          steps: 8,
          optimiser: normalisedAscent(0.5),
          regularisers: [],
          start: { kind: 'picture', picture: golden.input().data },
        },
      );
      expect(steps).toBe(8);
      const trace = golden.read('actmax_trace');
      const largest = Math.max(...Array.from(trace.data, Number).map(Math.abs));
      for (const [i, value] of Array.from(trace.data, Number).entries()) {
        expect(Math.abs(curve[0]![i]! - value) / largest).toBeLessThan(1e-4);
      }
      golden.expectEqual(input, 'actmax_final', name.startsWith('mobilenet') ? 1e-2 : 1e-3);
    });
  },
);

interface FourierCase {
  readonly h: number;
  readonly w: number;
  readonly freqs: readonly (readonly number[])[];
  readonly spectrum_re_im_ch: readonly (readonly (readonly (readonly number[])[])[])[];
  readonly scale: readonly (readonly number[])[];
  readonly decorrelated_image_chw: readonly (readonly (readonly number[])[])[];
  readonly color_matrix_normalised: readonly (readonly number[])[];
  readonly rgb_after_sigmoid: readonly (readonly (readonly number[])[])[];
}

const file = fileURLToPath(new URL('../../../../shared/spec/lucid_fft_color.json', import.meta.url));
const fourierCases: readonly FourierCase[] = existsSync(file)
  ? JSON.parse(readFileSync(file, 'utf8')).cases
  : [];
if (fourierCases.length === 0) console.warn('SKIPPED: ../shared/spec/lucid_fft_color.json is not there');

describe.skipIf(fourierCases.length === 0).each(fourierCases)(
  'the Fourier parametrisation of $h x $w',
  (golden) => {
    const size = { height: golden.h, width: golden.w };
    const close = (actual: ArrayLike<number>, expected: readonly number[]) => {
      expect(actual.length).toBe(expected.length);
      const largest = Math.max(...expected.map(Math.abs));
      expect(Math.max(...expected.map((value, i) => Math.abs(actual[i]! - value)))).toBeLessThan(
        2e-6 * largest,
      );
    };

    it('has the frequencies and the colour matrix of the reference', () => {
      close(frequenciesOf(size), golden.freqs.flat());
      close(COLOR_MATRIX, golden.color_matrix_normalised.flat());
    });

    it('draws the planes and colours of the reference', () => {
      const planes = new FourierPlanes(size);
      const [real, imaginary] = golden.spectrum_re_im_ch;
      const plane = golden.h * golden.w;
      const channels = new Float32Array(3 * plane);
      for (let c = 0; c < 3; c++) {
        const spectrum = Float32Array.from([...real![c]!.flat(), ...imaginary![c]!.flat()]);
        planes.render(spectrum, channels.subarray(c * plane, (c + 1) * plane));
      }
      close(channels, golden.decorrelated_image_chw.flat(2));
      const colors = new Float32Array(3 * plane);
      toColors(channels, colors);
      close(colors, golden.rgb_after_sigmoid.flat(2));
    });
  },
);
