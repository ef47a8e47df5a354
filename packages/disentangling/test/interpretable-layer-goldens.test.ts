import { compile, gradient } from '@unitscope/autodiff';
import { emptyGraph, evaluate, GraphBuilder } from '@unitscope/onnx';
import type { Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { expectClose, largestOf } from './support/arrays.js';
import { Golden, readExample, sharedFile } from './support/goldens.js';
import { alternating, constant, labelled, layerOf } from './support/layers.js';

const doubles = ({ dims, data }: Tensor): Tensor<Float64Array> => ({ dims, data: Float64Array.from(data) });

describe.each(['icnn_n9', 'icnn_n14'])('golden %s', (name) => {
  const there = sharedFile(`goldens/${name}/manifest.json`) !== undefined;

  it.skipIf(!there)('forward, backward, losses and gradients of the paper', async () => {
    const golden = new Golden(name);
    const { dims, data } = golden.read('x');
    const x = { dims, data: Float32Array.from(data) };
    const labels = alternating(dims[0]!);
    const layer = layerOf(x, { strength: constant });
    const { masked, parts } = await layer.forward(x);
    expectClose(parts.data, golden.read('argmax_index').data, 0);
    expectClose(masked.data, golden.read('masked_relu_unit').data, 2e-7, 1e-7);
    const dy = { dims, data: Float32Array.from(golden.read('upstream_grad').data) };
    const vjp = golden.read('masked_relu_tau_vjp').data;
    const dx = (await layer.backward(dy, parts)).data;
    const kept = dx.map((value, at) => (data[at] === 0 ? 0 : value * golden.manifest.tau));
    expectClose(kept, vjp, 4e-7, 1e-10);
    for (const [zMode, tensor, sign] of [
      ['exact', 'mi_loss_grad_exact', 1],
      ['frozen', 'mi_grad_paper_formula', -1],
    ] as const) {
      const found = await layerOf(x, { zMode, strength: constant }).filterLoss(x, labels);
      const loss = golden.read('mi_loss_per_filter').data;
      expectClose(found.loss.data, loss, 1e-6, 1e-7 * largestOf(loss));
      const wanted = golden.read(tensor).data.map((value) => sign * value);
      // A kept Z is rounded to float32, about 1e-7 of log Z beside logarithms of ratios near 1.
      const slack = zMode === 'frozen' ? 1e-4 : 1e-6;
      expectClose(found.gradient.data, wanted, 1e-6, slack * largestOf(wanted));
    }
  });

  it.skipIf(!there)('the whole backward pass of the released code', async () => {
    const golden = new Golden(name);
    const { dims, data } = golden.read('x');
    const [batch = 0, channels = 0, size = 0] = dims;
    const x = { dims, data: Float32Array.from(data) };
    const layer = layerOf(x, { reading: 'released', strength: { kind: 'magnitude', magnitude: 1e-6 } });
    layer.state.startEpoch(5);
    const labels = labelled(Array.from({ length: batch }, (_, i) => [i % 2]));
    const { masked, parts } = await layer.forward(x);
    expectClose(masked.data, golden.read('adashen_masked').data, 2e-6, 1e-6);

    const builder = new GraphBuilder(emptyGraph('conv_mask', 18));
    builder.input({ name: 'masked', type: 'float32', dims: ['N', channels, size, size] });
    const weight = golden.read('adashen_conv_weight');
    const w = builder.constant({ type: 'float32', dims: weight.dims, data: Float32Array.from(weight.data) });
    const y = builder.node('Conv', ['masked', w], { pads: [1, 1, 1, 1] });
    builder.output({ name: y, type: 'float32', dims: ['N', weight.dims[0]!, size, size] });
    const compiled = compile(builder.build(), {
      objective: { kind: 'seed', value: y },
      wrt: ['masked'],
      composite: gradient,
    });
    const gy = golden.read('adashen_gy');
    const feeds = { masked: doubles(masked), [compiled.targetInput]: gy };
    const above = evaluate(compiled.graph, feeds).get(compiled.signals.get('masked')!)!;
    const back = await layer.backward({ dims, data: Float32Array.from(above.data) }, parts);
    const { gradient: own } = await layer.filterLoss(x, labels);
    const expected = golden.read('adashen_x_grad').data;
    // The code's loss is a sum over the batch, ours a mean.
    const total = back.data.map((value, at) => value + batch * own.data[at]!);
    expectClose(total, expected, 1e-5, 2e-6 * largestOf(expected));
    // Where the mask is 0 there is the filter part alone, which would not show in the total.
    const alone = [...expected.keys()].filter((at) => back.data[at] === 0);
    expect(alone.length).toBeGreaterThan(expected.length / 2);
    expectClose(
      alone.map((at) => batch * own.data[at]!),
      alone.map((at) => expected[at]!),
      2e-5,
      1e-12,
    );
    const target = golden.read('adashen_mask_weight_grad').data;
    // Pseudo-gradient: (target - w) * -10000, of which ours goes the share `slopeRate`.
    expectClose(
      layer.state.slopes,
      target.map((value) => 2 + 0.02 * (value / -10000)),
      2e-6,
    );
  });
});

const spec = sharedFile('spec/icnn_mi_loss_n4.json');

describe.skipIf(spec === undefined)('the worked examples of 4 x 4 cells', () => {
  const tensor = (maps: readonly (readonly (readonly number[])[])[]): Tensor => ({
    dims: [maps.length, 1, 4, 4],
    data: Float32Array.from(maps.flat(2)),
  });

  it('have the losses and the three gradients of the paper', async () => {
    const known = readExample('icnn_mi_loss_n4.json');
    const x = tensor(known.X);
    const labels = labelled(known.is_target.map((isTarget: boolean) => [isTarget ? 1 : 0]));
    for (const [zMode, field] of [
      ['exact', 'grad_exact_all_of_Z_differentiated'],
      ['frozen', 'grad_frozen_Z'],
      ['one-template', 'grad_single_template_frozen_Z'],
    ] as const) {
      const found = await layerOf(x, { zMode, strength: constant }).filterLoss(x, labels);
      expectClose(found.loss.data, [known.loss], 1e-5);
      const wanted: number[] = known[field].flat(2);
      expectClose(found.gradient.data, wanted, 1e-6, 2e-5 * largestOf(wanted));
    }
    const half = await layerOf(x, { zMode: 'frozen', strength: constant, alpha: 0.5 }).filterLoss(x, labels);
    expectClose(half.loss.data, [known.alpha_half_case.loss], 1e-5);
  });

  it('have the gradient of the released code, but for the sign its normalisation turns round', async () => {
    const known = readExample('icnn_released_code_gradient_n4.json');
    const x = tensor(known.X);
    const labels = labelled(known.is_target.map((isTarget: boolean) => [isTarget ? 1 : 0]));
    const layer = layerOf(x, { reading: 'released', slopeRate: 0 });
    layer.state.startEpoch(known.epoch);
    const { gradient: dx } = await layer.filterLoss(x, labels);
    const signed: number[] = known.strength_pos_normalised;
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    // Their mean is negative before it is divided by: the golden's positives have the wrong sign.
    const turn = -mean(signed) / mean(signed.map(Math.abs));
    const wanted = known.gradient_added_to_dzdx.flatMap((map: number[][], image: number) =>
      map.flat().map((value) => (image < 3 ? turn : 1) * value),
    );
    expectClose(
      dx.data.map((value) => 6 * value),
      wanted,
      2e-6,
      1e-12,
    );
  });
});
